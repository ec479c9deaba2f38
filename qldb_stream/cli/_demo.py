"""`qldb-stream demo`: the whole way, once, on a ledger of its own."""

from __future__ import annotations

import base64
import shlex
import tempfile
from pathlib import Path
from typing import Any

import attrs
import click
from rich.markup import escape

from qldb_stream.cli._compare import print_agreement, print_differences
from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import console, make_table, print_json
from qldb_stream.testing.rehearsal import ChainProof, Kept, Rehearsal, Step, rehearse

__all__ = ["demo"]

EPILOG = """
\b
Examples:
  qldb-stream demo
  qldb-stream demo --vehicles 500 --seed 7
  qldb-stream demo --keep my-demo && qldb-stream inspect my-demo/records
"""


@click.command(epilog=EPILOG)
@click.option(
    "--vehicles",
    type=click.IntRange(min=2),
    default=60,
    show_default=True,
    help="How large the story is.",
)
@click.option("--seed", default=1, show_default=True, help="Chooses the story's details.")
@click.option(
    "--keep",
    metavar="FOLDER",
    type=click.Path(),
    help="Keep ledgers and files of records here: an empty folder, or one to be made.",
)
@json_option
def demo(*, vehicles: int, seed: int, keep: str | None, as_json: bool) -> int:
    """
    Record, deliver, verify, replay and compare a ledger.

    A source ledger records a vehicle-registration story. Its journal is delivered as
    KPL-aggregated Kinesis records, shuffled, repeated and concatenated in files as
    Firehose does, verified, replayed into a destination ledger, and the two are compared.
    Nothing is left of it, unless with --keep: both ledgers and the files of records, to
    try the other commands on.
    """
    with tempfile.TemporaryDirectory(prefix="qldb-stream-") as temporary:
        folder = Path(temporary if keep is None else keep)
        rehearsal = rehearse(
            folder,
            _ignore if as_json else _print_step,
            seed=seed,
            vehicles=vehicles,
        )
    is_kept = keep is not None
    if as_json:
        print_json(_as_json(rehearsal, is_kept=is_kept))
    else:
        _print(rehearsal, is_kept=is_kept)
    return 0 if rehearsal.ok else 1


def _ignore(_step: Step) -> None:
    """Print nothing: with `--json` only the object is printed."""


def _print_step(step: Step) -> None:
    mark = "[green]ok[/]    " if step.ok else "[red]not ok[/]"
    console().print(f"{mark} [bold]{escape(f'{step.title:<36}')}[/] {escape(step.detail)}")


def _print(rehearsal: Rehearsal, *, is_kept: bool) -> None:
    out = console()
    out.print()
    rows = [
        (chapter.title, chapter.transactions, chapter.revisions) for chapter in rehearsal.chapters
    ]
    out.print(make_table("The story", ("chapter", "#transactions", "#revisions"), rows))
    out.print(make_table("The ledgers", ("", "source", "destination"), _ledger_rows(rehearsal)))
    print_differences(rehearsal.comparison)
    if is_kept:
        _print_kept(rehearsal)
    print_agreement(rehearsal.comparison, ok=rehearsal.ok)


def _print_kept(rehearsal: Rehearsal) -> None:
    """Say what lies where, and what to type to look at it."""
    kept, out = rehearsal.kept, console()
    source, destination, records = map(_word, (kept.source, kept.destination, kept.records))
    rows = (
        ("the source ledger", kept.source),
        ("the destination ledger", kept.destination),
        ("the files that the records were delivered in", kept.records),
    )
    out.print(make_table("Kept", ("what", "where"), rows))
    for command in (
        f"inspect {records}",
        f"verify {records}",
        f"compare {source} {destination}",
        f"compare {records} {destination}",
        f"ids {destination} {rehearsal.document_id}",
    ):
        out.print(f"  try: qldb-stream {escape(command)}", soft_wrap=True)


def _word(path: Path) -> str:
    """Give a path as a word for a shell, which no command takes for an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def _ledger_rows(rehearsal: Rehearsal) -> list[tuple[object, ...]]:
    proofs = (rehearsal.source, rehearsal.destination)
    return [
        ("blocks", *(proof.blocks for proof in proofs)),
        ("revisions of the story", *(proof.revisions for proof in proofs)),
        ("the replay's own (position, ids)", *(proof.own_revisions for proof in proofs)),
        ("chain and digest", *("hold" if proof.ok else "broken" for proof in proofs)),
        ("digest (base64)", *(base64.b64encode(proof.digest).decode() for proof in proofs)),
    ]


def _as_json(rehearsal: Rehearsal, *, is_kept: bool) -> dict[str, Any]:
    return {
        "ok": rehearsal.ok,
        "chapters": [attrs.asdict(chapter) for chapter in rehearsal.chapters],
        "verification": rehearsal.verification.as_json(),
        "replay": rehearsal.replay.as_json(),
        "source": _proof_as_json(rehearsal.source),
        "destination": _proof_as_json(rehearsal.destination),
        "comparison": rehearsal.comparison.as_json(),
        "kept": _kept_as_json(rehearsal.kept) if is_kept else None,
    }


def _proof_as_json(proof: ChainProof) -> dict[str, Any]:
    return {
        "ok": proof.ok,
        "blocks": proof.blocks,
        "revisions": proof.revisions,
        "digest": base64.b64encode(proof.digest).decode(),
    }


def _kept_as_json(kept: Kept) -> dict[str, Any]:
    return {
        "folder": str(kept.folder),
        "source": str(kept.source),
        "destination": str(kept.destination),
        "records": str(kept.records),
    }
