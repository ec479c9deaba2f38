"""`qldb-stream history`: revisions as they were, and who changed what."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import click

from qldb_stream.archive.history import (
    Archive,
    Blame,
    BlamedField,
    HistoryEntry,
    Moment,
    archive_over,
    default_place,
)
from qldb_stream.cli._input import open_files, shown_names
from qldb_stream.cli._options import add_options, files_argument, parse_time
from qldb_stream.cli._output import (
    count,
    make_printable,
    nothing_readable,
    print_json,
    print_verdict,
)
from qldb_stream.cli._progress import progress
from qldb_stream.cli._standard import complain
from qldb_stream.errors import SavedDigestError, UsageError
from qldb_stream.events import BlockAddress
from qldb_stream.ion import to_ascii_json, to_text
from qldb_stream.parsers.digest import parse_address
from qldb_stream.report import VERSION, Outcome

__all__ = ["history"]

_DASH: Final = "-"
_NOT_ALONE: Final = (
    "Read and recomputed for this answer: what is shown, with its blocks and their links to the "
    "blocks before them. On the index alone rests that nothing is left out, and that the archive "
    "was verified as a whole when the index was built"
)

EPILOG = """
\b
Examples:
  qldb-stream history archive/ --table Person
  qldb-stream history archive/ --table Person --document 0007KbqoyqAIch6XRbQ4iA
  qldb-stream history archive/ --table Person --as-of 2024-05-06T07:00Z --json
  qldb-stream history archive/ --document 0007KbqoyqAIch6XRbQ4iA --blame
"""


@attrs.frozen
class _Asked:
    """What is asked for, as the command line says it."""

    table: str | None
    document: str | None
    as_of: Moment | None
    limit: int | None


class _Versions:
    """Which versions of one document are not among those that were shown."""

    def __init__(self) -> None:
        self.missing: list[tuple[int, int]] = []
        self._next = 0

    def see(self, version: int) -> None:
        """Take in the next version that is shown."""
        if version > self._next:
            self.missing.append((self._next, version - 1))
        self._next = version + 1

    def sentence(self, archive: Archive) -> str:
        """Say what is missing, and whether an index may hide it."""
        ranges = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in self.missing)
        if archive.is_fresh:
            return f"versions that no whole block of the archive has: {ranges}"
        return (
            f"versions that no whole block of the archive has, as its index says: {ranges}; "
            "--no-index asks the archive itself"
        )


def _parse_moment(
    context: click.Context, option: click.Parameter, value: str | None
) -> Moment | None:
    """Read a time, or a block STRAND:N; an option's callback."""
    if value is None:
        return None
    try:
        return parse_address(value)
    except SavedDigestError:
        return parse_time(context, option, value)


_OPTIONS: Final = (
    click.option("--table", metavar="T", help="Of this table, by name or id; default: of all."),
    click.option("--document", metavar="ID", help="Of this document alone."),
    click.option(
        "--as-of",
        metavar="TIME",
        callback=_parse_moment,
        help="The state then: a time (ISO 8601, UTC) or a block, STRAND:N.",
    ),
    click.option(
        "--blame", is_flag=True, help="Name what last changed each field; needs --document."
    ),
    click.option("--limit", type=click.IntRange(min=1), help="Show at most so many revisions."),
    click.option(
        "--index",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Keep the index in this file; by itself it is kept in FILE where that is a folder.",
    ),
    click.option("--no-index", is_flag=True, help="Use no index, and leave none."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
)


@click.command(epilog=EPILOG)
@files_argument
@lambda command: add_options(command, _OPTIONS)
def history(  # noqa: PLR0913 - one for each option
    *,
    files: tuple[str, ...],
    table: str | None,
    document: str | None,
    as_of: Moment | None,
    blame: bool,
    limit: int | None,
    index: Path | None,
    no_index: bool,
    as_json: bool,
) -> int:
    """
    Print revisions of documents as they were, each with how far it is proven.

    FILE is a file, a folder or s3://BUCKET/PREFIX of a journal (records or exports), or - for
    standard input.
    The first question reads everything and leaves an index beside a folder; later ones are
    fast. Exits with 0, with 1 when anything that is shown failed verification, and with 2 when
    there is no such table or document.
    """
    if blame and document is None:
        raise UsageError("--blame needs --document ID: the fields of one document are blamed")
    if blame and limit is not None:
        raise UsageError("--limit counts revisions, and --blame shows fields: give one of them")
    place = _place(files, index, no_index=no_index)
    with ExitStack() as stack:
        with progress() as report_progress:  # the first question's; what follows are lines
            source = stack.enter_context(open_files(files, report_progress))
            archive = stack.enter_context(archive_over(source, place))
        if not archive.built.blocks:
            raise UsageError(nothing_readable(shown_names(files), []))
        try:
            if blame and document is not None:
                return _blame(
                    archive.blame(document, table=table, as_of=as_of), archive, as_json=as_json
                )
            asked = _Asked(table, document, as_of, limit)
            return _print_history(archive, asked, as_json=as_json)
        finally:
            for note in archive.notes:
                complain(f"qldb-stream history: {note}")


def _place(files: tuple[str, ...], index: Path | None, *, no_index: bool) -> Path | None:
    """
    Say where the index is kept.

    Raises:
        UsageError: an index of what can be read once only, or one that is and is not wanted.
    """
    if no_index:
        if index is not None:
            raise UsageError("--index and --no-index exclude each other")
        return None
    if index is None:
        return default_place(files)
    if _DASH in files:
        raise UsageError("--index: no index is kept of standard input, which is gone afterwards")
    return index


def _print_history(archive: Archive, asked: _Asked, *, as_json: bool) -> int:
    """Print revisions as they are read, and at the end what they come to."""
    outcomes: Counter[Outcome] = Counter()
    versions = _Versions() if asked.document is not None and asked.as_of is None else None
    for entry in archive.history(
        asked.table, document_id=asked.document, as_of=asked.as_of, limit=asked.limit
    ):
        outcomes[entry.state.outcome] += 1
        if versions is not None:
            versions.see(entry.version)
        click.echo(_json_line(entry) if as_json else _lines(entry))
    if as_json:
        print_json(_summary(archive, asked, outcomes, versions), indent=None)
    else:
        if versions is not None and versions.missing:
            click.echo(versions.sentence(archive))
        if isinstance(asked.as_of, datetime):  # a date alone is its first moment
            click.echo(f"The state as of {_time(asked.as_of)}.")
        for sentence in _dropped(archive, asked.table):
            click.echo(sentence)
        _print_verdict(archive, outcomes, "revision")
    return int(outcomes[Outcome.FAILED] > 0)


def _json_line(entry: HistoryEntry) -> str:
    """Give a revision as one JSON object; its document is JSON as exports had it, and Ion."""
    row = entry.row()
    table = entry.table
    said = json.dumps(
        {
            "version": VERSION,
            "type": "REVISION",
            "table": None if table is None else table.table_name,
            "table_id": None if table is None else table.table_id,
            "kind": entry.revision.kind.value,
            "state": entry.state.as_json(),
            "ion": to_text(row),
        }
    )
    # Numbers of any size stay what they are: no Python value is made of them.
    return f'{said[:-1]}, "revision": {to_ascii_json(row)}}}'


def _summary(
    archive: Archive, asked: _Asked, outcomes: Counter[Outcome], versions: _Versions | None
) -> dict[str, Any]:
    return {
        "version": VERSION,
        "type": "SUMMARY",
        "ok": not outcomes[Outcome.FAILED],
        "revisions": sum(outcomes.values()),
        "outcomes": {outcome.value: outcomes[outcome] for outcome in Outcome},
        "missing_versions": None if versions is None else versions.missing,
        "tables": [life.as_json() for life in archive.tables(asked.table)],
        "archive": archive.built.as_json(),
        "verified_now": archive.is_fresh,
        "notes": archive.notes,
    }


def _lines(entry: HistoryEntry) -> str:
    """Give a revision as lines for people, nothing to obey in it."""
    table = "(no table)" if entry.table is None else entry.table.table_name
    metadata = entry.revision.metadata
    assert metadata is not None
    head = (
        f"{table} {entry.document_id}  version {entry.version} {entry.revision.kind.value}  "
        f"{_name(entry.address)}  {_time(metadata.tx_time)}  {entry.state.outcome.value}"
    )
    lines = [make_printable(head), *(f"  {reason}" for reason in entry.state.reasons)]
    if entry.revision.data_ion is not None:
        lines.append(f"  {make_printable(to_text(entry.revision.data_ion, is_part=True))}")
    return "\n".join(lines)


def _dropped(archive: Archive, table: str | None) -> list[str]:
    """Say which of the tables were dropped: what is shown of them may not be what is current."""
    lives = archive.tables(table)
    return [
        make_printable(
            f"table {life.info.table_name} ({life.info.table_id}) was dropped in block "
            f"{_name(BlockAddress(life.strand_id, life.dropped))}"
        )
        for life in lives
        if life.dropped is not None
    ]


def _blame(found: Blame, archive: Archive, *, as_json: bool) -> int:
    """Print who changed what."""
    if as_json:
        print_json(
            {
                **found.as_json(),
                "archive": archive.built.as_json(),
                "verified_now": archive.is_fresh,
                "index_notes": archive.notes,
            }
        )
    else:
        table = "(no table)" if found.table is None else found.table.table_name
        shown = "" if found.shown is None else f"  version {found.shown.version}"
        click.echo(make_printable(f"{table} {found.document_id}{shown}"))
        for field in found.fields:
            click.echo(_field_lines(field))
        for note in found.notes:
            click.echo(make_printable(note))
        _print_verdict(archive, Counter(found.outcomes), "revision")
    return int(found.outcome is Outcome.FAILED)


def _field_lines(field: BlamedField) -> str:
    entry = field.entry
    metadata = entry.revision.metadata
    assert metadata is not None
    value = to_text(field.value, is_part=True)
    head = (
        f"  {_name(entry.address)}  {_time(metadata.tx_time)}  version {entry.version}  "
        f"transaction {metadata.tx_id}  {entry.state.outcome.value}"
    )
    lines = [make_printable(f"{field.path or '(the document)'}: {value}"), make_printable(head)]
    lines += [make_printable(f"  {' '.join(text.split())}") for text in field.statements]
    if field.open_versions is not None:
        first, last = field.open_versions
        which = f"version {first}" if first == last else f"versions {first} to {last}"
        lines.append(f"  or already with {which}, whose contents are not known")
    return "\n".join(lines)


def _print_verdict(archive: Archive, outcomes: Counter[Outcome], noun: str) -> None:
    """Say how much is proven, and by what."""
    parts = [f"{outcomes[outcome]} {outcome.value}" for outcome in Outcome if outcomes[outcome]]
    counted = f"{count(sum(outcomes.values()), noun)}" + (": " if parts else "") + ", ".join(parts)
    built = archive.built
    listed = ", ".join(f"{code} {times}" for code, times in built.problems.items())
    result = f"{count(built.blocks, 'block')}, level {built.level}, " + (
        f"problems: {listed}" if listed else "no problem"
    )
    if archive.is_fresh:
        said = f"The archive was verified as a whole for this answer ({result})"
    else:
        said = f"{_NOT_ALONE} ({result})"
    click.echo(f"{said}.")
    print_verdict(ok=not outcomes[Outcome.FAILED], sentence=counted)


def _name(address: BlockAddress) -> str:
    return f"{address.strand_id}/{address.sequence_no}"


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
