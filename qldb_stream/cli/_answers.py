"""Which of the files that a command was given are GetBlock's answers, with their proofs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from qldb_stream.archive.evidence import AnsweredProof, parse_answer
from qldb_stream.errors import DecodeError
from qldb_stream.parsers.answer import MAX_ANSWER_BYTES, is_answer

__all__ = ["read_proofs"]

_HEAD_BYTES: Final = 256


def read_proofs(files: Sequence[str]) -> tuple[AnsweredProof, ...]:
    """
    Read the proofs of the answers among files, which are named themselves and are no folders.

    What cannot be read is no error here: it is read as a source as well, which says so.
    """
    found = [_maybe_proof(Path(name)) for name in files]
    return tuple([proof for proof in found if proof is not None])


def _maybe_proof(path: Path) -> AnsweredProof | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            if not is_answer(head):
                return None
            answer = parse_answer(head + file.read(MAX_ANSWER_BYTES + 1 - len(head)))
    except (OSError, ValueError, DecodeError):
        return None
    is_proof = answer.block is not None and answer.proof is not None
    return AnsweredProof(answer) if is_proof else None
