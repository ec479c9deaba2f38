"""
Which files hold a block whole, and which hold a part of it.

A file holds a block whole when it has a summary of it and every revision that this
summary lists with a document; hash-only entries are in the summary alone. A revision counts
by its hash, or by its document where its hash is damaged. Several files hold a
block whole together by the same rule, so an archive that Firehose cut into objects does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import attrs

from qldb_stream.events import BlockSummary, RevisionDetails

__all__ = ["Holders", "Part"]


@attrs.define
class Part:
    """
    What one file holds of one block.

    `wanted` are the revisions that its summaries list, each summary a list of pairs of bits:
    that of the hash, and that of the document. `has` are the bits of its revisions.
    """

    wanted: list[tuple[int, ...]] = attrs.field(factory=list)
    has: int = 0
    time: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """Say whether the revisions of one of its summaries are all here."""
        return any(all(self.has & leaf for leaf in leaves) for leaves in self.wanted)

    def join(self, other: Part) -> None:
        """Take in what another holds."""
        self.wanted += [leaves for leaves in other.wanted if leaves not in self.wanted]
        self.has |= other.has
        self.time = self.time or other.time


class Holders:
    """Who holds what of the block that is being read; new for each block."""

    def __init__(self) -> None:
        self._bits: dict[bytes | str, int] = {}
        self.parts: dict[int, Part] = {}

    def feed(self, file: int, event: BlockSummary | RevisionDetails) -> None:
        """Take in what one file holds."""
        part = self.parts.setdefault(file, Part())
        if isinstance(event, RevisionDetails):
            revision = event.revision
            part.has |= self._bit(revision.hash) | self._bit(revision.document_id or b"")
            return
        part.time = part.time or event.block_timestamp
        leaves = tuple(
            [
                self._bit(leaf.hash) | self._bit(leaf.document_id)
                for leaf in event.revision_summaries
                if leaf.document_id is not None
            ]
        )
        if leaves not in part.wanted:
            part.wanted.append(leaves)

    def joined(self, files: Iterable[int]) -> Part:
        """Say what some files hold together."""
        whole = Part()
        for file in files:
            whole.join(self.parts[file])
        return whole

    def _bit(self, name: bytes | str) -> int:
        return 1 << self._bits.setdefault(name, len(self._bits))
