"""
What every run into one ledger must have in common, and is kept beside the position.

A ledger in which some references were rewritten and others were not is of use to nobody,
and nothing in it says so; hence a run with another `ids` rule is refused. `base=insert` may
be added by a later run: without it unknown documents are refused, so what is there is
what `base=insert` would have made. Once it was given it cannot be left out again.
"""

from __future__ import annotations

from typing import Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.replay._rules import IdRule

_INSERT: Final = "base=insert "


@attrs.frozen
class Settings:
    """How a journal is replayed into a ledger: which ids are rewritten, what is taken up."""

    ids: IdRule
    insert_unknown: bool = False

    def __str__(self) -> str:
        """Write them as options; equal settings give equal texts, which is what is kept."""
        return f"{_INSERT if self.insert_unknown else ''}ids={self.ids}"


def check_settings(strand_id: str, kept: str | None, given: str) -> None:
    """
    Make sure that a run goes on as a strand was begun.

    Args:
        strand_id: the source's strand.
        kept: the settings that are kept with its position; None from before they were.
        given: the settings of this run.

    Raises:
        UsageError: they differ by more than a `base=insert` that is added.
    """
    if kept is None or given in {kept, _INSERT + kept}:
        return
    if kept == _INSERT + given:
        raise UsageError(
            f"strand {strand_id}: this ledger was filled with base=insert, and this run lacks it: "
            "give base=insert again, or replay the journal into a new ledger"
        )
    raise UsageError(
        f"strand {strand_id}: this ledger was filled with {kept}, but this run has {given}, and "
        f"both in one ledger would contradict each other: give {kept} again, or replay "
        "the journal into a new ledger"
    )
