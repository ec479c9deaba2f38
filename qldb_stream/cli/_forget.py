"""`qldb-stream forget`: let an inbox keep nothing for a sink any more."""

from __future__ import annotations

import time
from collections.abc import Sequence

import attrs
import click

from qldb_stream.cli._delivery import inbox_argument, maybe_inbox
from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import count, print_json, print_verdict
from qldb_stream.errors import UsageError
from qldb_stream.report import InboxStatus
from qldb_stream.sinks.url import mask_url

__all__ = ["find_name", "forget"]

EPILOG = """
\b
Examples:
  qldb-stream status consumer.inbox
  qldb-stream forget consumer.inbox sqlite:oops.db
  qldb-stream forget consumer.inbox copy --yes --json
"""


@attrs.frozen
class _Lost:
    """What goes with a sink: its positions by strand, and how many blocks are parked."""

    name: str
    positions: dict[str, int]
    parked: int

    def as_json(self) -> dict[str, object]:
        """Give the values that `--json` prints."""
        return {"sink": mask_url(self.name), "positions": self.positions, "parked": self.parked}


@click.command(epilog=EPILOG)
@inbox_argument
@click.argument("sink")
@click.option("--yes", is_flag=True, help="Also when blocks are parked for it: they are lost.")
@json_option
def forget(*, inbox: str, sink: str, yes: bool, as_json: bool) -> int:
    """
    Keep nothing in INBOX for SINK any more; the sink itself stays as it is.

    SINK is its URL or name, as `status` has it. Its positions in the inbox go, with --yes also the
    blocks that are parked for it. The next delivery removes the records that only it still needed.
    """
    with maybe_inbox(inbox, must_exist=True) as opened:
        assert opened is not None, "it was named"
        lost = _find_lost(opened.status(), sink)
        if lost.parked and not yes:
            raise UsageError(
                f"{count(lost.parked, 'block')} parked for {mask_url(lost.name)} would be lost: "
                "requeue or skip them first (`qldb-stream parked`), or say --yes"
            )
        opened.forget(lost.name)
    if as_json:
        print_json({"ok": True, **lost.as_json()})
    else:
        print_verdict(ok=True, sentence=_sentence(lost))
    return 0


def _find_lost(status: InboxStatus, sink: str) -> _Lost:
    """
    Find what an inbox keeps of a sink.

    Raises:
        UsageError: it knows no such sink, or somebody delivers to it.
    """
    named = [name for name, _ in status.positions] + [name for name, *_ in status.parked]
    name = find_name(sink, [*status.sinks, *named])
    now_s = time.time()
    for lease in status.leases:
        if lease.key.startswith(f"{name}/") and lease.expires_s > now_s:
            raise UsageError(
                f"somebody delivers to {mask_url(name)} and would begin anew: stop him first; a "
                f"worker that died is forgotten in {lease.expires_s - now_s:.0f} s"
            )
    return _Lost(
        name,
        {at.strand_id: at.sequence_no for of, at in status.positions if of == name},
        sum(blocks for of, _, blocks in status.parked if of == name),
    )


def find_name(sink: str, known: Sequence[str]) -> str:
    """
    Give the name that an inbox has for a sink, whose passwords may be masked here or there.

    Raises:
        UsageError: it has none.
    """
    if sink in known:
        return sink
    for name in known:
        if mask_url(sink) == mask_url(name):
            return name
    names = ", ".join(sorted({mask_url(name) for name in known})) or "no sink"
    raise UsageError(f"the inbox does not know {mask_url(sink)}; it knows {names}")


def _sentence(lost: _Lost) -> str:
    parts = [f"{mask_url(lost.name)} is forgotten"]
    parts += [
        f"it had strand {strand_id} up to block {last}"
        for strand_id, last in lost.positions.items()
    ]
    if lost.parked:
        parts.append(f"{count(lost.parked, 'parked block')} lost")
    parts.append("the next delivery removes the records that nobody else needs")
    return ", ".join(parts)
