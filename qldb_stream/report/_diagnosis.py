"""
What would have to change back for a revision to fit its hash, and what shows it.

A diagnosis is no guess: its changes were tried, and the hash fits with them. The values in it
are parts of documents; they are kept out of `sentence`, of every message and of `repr`, and
stand in fields of their own, so that who prints or logs a report decides about them.
"""

from __future__ import annotations

import enum
from typing import Any, Final

import attrs

_NAMED: Final = 3  # more fields than these are counted in sentences


class Evidence(enum.StrEnum):
    """What shows that a diagnosis is right; stable, for programs to act on."""

    REVISION_HASH = "REVISION_HASH"
    LEAF_HASH = "LEAF_HASH"
    BLOCK_HASHES = "BLOCK_HASHES"
    COPY = "COPY"


_HOW: Final = {
    Evidence.REVISION_HASH: "it verifies if",
    Evidence.LEAF_HASH: "it has a hash that the block is made of if",
    Evidence.BLOCK_HASHES: "the block's hashes fit one another if",
    Evidence.COPY: "in the copy that was taken",
}


@attrs.frozen
class FieldChange:
    """
    One field that differs from what was hashed.

    `path` leads to it from the part's root, as `data.items[3].price`; it begins with `data` or
    `metadata`, or is a part's name alone. `loss` is a stable code for what happened to it.
    `wanted` says in words without contents what fits, `ion_type` names its type, and `value`
    is the value in Ion text; None where there is nothing to show.
    """

    path: str
    loss: str
    wanted: str
    ion_type: str | None = None
    value: str | None = attrs.field(default=None, repr=False)

    @property
    def sentence(self) -> str:
        """Say it without its value."""
        return f"`{self.path}` is {self.wanted}"

    @property
    def shown(self) -> str:
        """Say it with its value, for the eyes of who owns the document."""
        if self.value is None:
            return self.sentence
        return f"`{self.path}` is {self.ion_type} {self.value}"


@attrs.frozen
class Diagnosis:
    """What would have to change for a revision to verify; `changes` is never empty."""

    evidence: Evidence
    changes: tuple[FieldChange, ...]

    @property
    def field(self) -> str:
        """Name the field; of several the part that they are in."""
        if len(self.changes) == 1:
            return self.changes[0].path
        return self.changes[0].path.partition(".")[0].partition("[")[0]

    @property
    def sentence(self) -> str:
        """Say which fields differ and how, without any contents."""
        return self._said([change.sentence for change in self.changes])

    @property
    def shown(self) -> str:
        """Say the same with the values that fit: parts of the document."""
        return self._said([change.shown for change in self.changes])

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints; `value` is part of the document."""
        return {
            "evidence": self.evidence.value,
            "changes": [
                {
                    "path": change.path,
                    "loss": change.loss,
                    "wanted": change.wanted,
                    "type": change.ion_type,
                    "value": change.value,
                }
                for change in self.changes
            ],
        }

    def _said(self, changes: list[str]) -> str:
        said = " and ".join(changes[:_NAMED])
        more = len(changes) - _NAMED
        return f"{_HOW[self.evidence]} {said}" + (f", and {more} more" if more > 0 else "")
