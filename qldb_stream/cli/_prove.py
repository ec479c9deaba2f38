"""`qldb-stream prove`: one document's revision, proven to somebody else."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from qldb_stream.archive.evidence import (
    Answer,
    Evidence,
    FoundRevision,
    find_in_answer,
    find_revision,
    make_evidence,
    maybe_find_by_index,
    open_signer,
    parse_answer,
    verify_proof,
)
from qldb_stream.archive.history import archive_over
from qldb_stream.cli._digest import read_digest, tip_option
from qldb_stream.cli._input import open_files
from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import console, count, print_json, print_verdict
from qldb_stream.cli._progress import progress
from qldb_stream.cli._standard import complain
from qldb_stream.errors import AnswerError, ProofRefusedError, UsageError
from qldb_stream.parsers.answer import MAX_ANSWER_BYTES
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.sources import FolderSource

__all__ = ["prove"]

_NAMED: Final = 5  # fields whose type was put back; report.json has them all

EPILOG = """
\b
Examples:
  qldb-stream prove archive/ --document JUJgkIcNbhS2goq8RqLuZ4 --digest digest.json -o evidence.zip
  qldb-stream prove archive/ --document JUJgkIcNbhS2goq8RqLuZ4 --version 3 --digest digest.json \\
      -o evidence.zip --sign key.pem --only-document
  qldb-stream prove archive/ --document JUJgkIcNbhS2goq8RqLuZ4 --digest digest.json \\
      -o evidence.zip --index archive.index
  qldb-stream prove --answer block.json --answer revision.json --digest digest.json
"""


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path())
@click.option("--document", "document_id", metavar="ID", help="The document's id.")
@click.option(
    "--version", type=click.IntRange(min=0), help="Its version; the last one if not given."
)
@click.option(
    "--digest", "digest", required=True, metavar="FILE|BASE64", help="The digest that was saved."
)
@tip_option
@click.option(
    "-o", "--output", metavar="ZIP", type=click.Path(dir_okay=False), help="The bundle to write."
)
@click.option("--sign", metavar="KEY", type=click.Path(), help="Private Ed25519 key, a PEM file.")
@click.option(
    "--only-document", is_flag=True, help="Leave out what else the block's transaction did."
)
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="JSON",
    type=click.Path(),
    help="What GetBlock or GetRevision answered, with its Proof.",
)
@click.option(
    "--index",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Find it by this index instead of reading all; it is made where there is none.",
)
@json_option
def prove(  # noqa: PLR0913 - the options of the command
    *,
    files: tuple[str, ...],
    document_id: str | None,
    version: int | None,
    digest: str,
    tip: str | None,
    output: str | None,
    sign: str | None,
    only_document: bool,
    answers: tuple[str, ...],
    index: Path | None,
    as_json: bool,
) -> int:
    """
    Prove a document's revision to somebody who has the ledger's digest.

    FILE is what `verify` takes: an archive from block 0 on. The bundle that is written holds
    the revision, its block, the path to the digest, a page to read and verify.py, which checks
    it wherever there is Python. With --answer nothing else is read: answers that QLDB gave are
    proven against the digest, and one of GetBlock can be made a bundle.
    """
    if bool(files) == bool(answers):
        raise UsageError("give either an archive to prove from, or --answer")
    saved, raw = read_digest(digest, tip)
    if answers and document_id is None:
        return _prove_answers(answers, saved, as_json=as_json)
    if document_id is None or output is None:
        raise UsageError("a bundle takes --document ID and -o ZIP")
    _check_free(output)
    signer = None if sign is None else open_signer(sign)
    if answers:
        found = _find_in(answers, document_id, saved, version)
    else:
        found = _find(files, index, document_id, saved, version)
    evidence = make_evidence(found, raw, only_document=only_document, signer=signer)
    _write(output, evidence.to_zip())
    if as_json:
        print_json({**evidence.as_json(), "output": output})
    else:
        _print(evidence, output)
    return 0


def _find(
    files: tuple[str, ...],
    index: Path | None,
    document_id: str,
    saved: SavedDigest,
    version: int | None,
) -> FoundRevision:
    if saved.tip is None:
        raise UsageError("the digest does not say its tip: give --tip STRAND:N")
    with progress() as report_progress, open_files(files, report_progress) as source:
        if index is not None:
            found = _find_by_index(source, index, document_id, saved, version)
            if found is not None:
                return found
        return find_revision(source, document_id, saved, version=version)


def _find_by_index(
    source: FolderSource, index: Path, document_id: str, saved: SavedDigest, version: int | None
) -> FoundRevision | None:
    with archive_over(source, index) as archive:
        found = maybe_find_by_index(archive, document_id, saved, version=version)
        for note in archive.notes:
            complain(f"qldb-stream prove: {note}")
        return found


def _find_in(
    answers: tuple[str, ...], document_id: str, saved: SavedDigest, version: int | None
) -> FoundRevision:
    if len(answers) > 1:
        raise UsageError("a bundle is made of one answer, that of GetBlock")
    return find_in_answer(_read_answer(answers[0]), document_id, saved, version=version)


def _prove_answers(answers: tuple[str, ...], saved: SavedDigest, *, as_json: bool) -> int:
    """Prove answers, all of them or none; what fails is raised."""
    proven: list[dict[str, Any]] = []
    for name in answers:
        answer = _read_answer(name)
        try:
            verify_proof(answer, saved)
        except ProofRefusedError as exc:
            raise ProofRefusedError(exc.code, f"{name}: {exc.problem}") from exc
        proven.append({"file": name, **answer.as_json()})
    if as_json:
        print_json({"version": 1, "ok": True, "proven": proven})
        return 0
    for one in proven:
        console().print(f"{one['file']}: {_named(one)}", markup=False)
    print_verdict(ok=True, sentence=f"{count(len(proven), 'answer')} proven against the digest")
    return 0


def _named(one: dict[str, Any]) -> str:
    at = f"block {one['strand_id']}/{one['sequence_no']}"
    if one["what"] == "block":
        return at
    return f"document {one['document_id']}, version {one['revision_version']}, of {at}"


def _read_answer(name: str) -> Answer:
    try:
        with Path(name).open("rb") as file:
            data = file.read(MAX_ANSWER_BYTES + 1)
        return parse_answer(data)
    except AnswerError as exc:
        raise AnswerError(exc.expected, f"{exc.found} in {name}") from exc
    except OSError as exc:
        raise UsageError(f"cannot read --answer {name}: {exc.strerror}") from exc


def _check_free(output: str) -> None:
    if Path(output).exists():
        raise UsageError(f"{output} exists already; name another, or remove it")


def _write(output: str, data: bytes) -> None:
    """Write a file whole or not at all."""
    path = Path(output)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as exc:
        with suppress(OSError):
            part.unlink()
        raise UsageError(f"cannot write {output}: {exc.strerror}") from exc


def _print(evidence: Evidence, output: str) -> None:
    said, out = evidence.proven, console()
    at = f"block {said['strand_id']}/{said['sequence_no']}"
    out.print(
        f"document {said['document_id']}, version {said['revision_version']}, of {at}", markup=False
    )
    if said["state"] != "document":
        out.print(f"{said['state']}: {said['proves'][0]}")
    if rebuilt := evidence.report["rebuilt"]:
        out.print(
            f"it comes from a JSON export and has its hash with {count(len(rebuilt), 'type')} put "
            f"back: {', '.join(rebuilt[:_NAMED])}{', ...' if len(rebuilt) > _NAMED else ''}",
            markup=False,
        )
    if evidence.others:
        others = count(evidence.others, "revision")
        out.print(f"the block shows {others} of other documents too; --only-document hides them")
    if later := evidence.report["later_revisions_in_archive"]:
        out.print(f"the archive holds {count(later, 'later revision')} of the document")
    archive = evidence.report["archive"]
    if archive is not None and not archive["ok"]:
        problems = count(sum(archive["problems"].values()), "problem")
        out.print(f"elsewhere the archive has {problems}, which the bundle counts; see `verify`")
    signed = "unsigned" if said["signer"] is None else "signed"
    out.print(f"check it: python3 -I -S verify.py {output} --digest BASE64", markup=False)
    print_verdict(ok=True, sentence=f"proven against the digest; {output} written, {signed}")
