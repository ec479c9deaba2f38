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
from typing import Final, TypeAlias

import attrs

from qldb_stream.events import BlockSummary, RevisionDetails

__all__ = ["Holders", "Part"]

_Leaf: TypeAlias = tuple[bytes, str]

_MOST_SUMMARIES: Final = 16
"""Different ones of one block in one file; two are a conflict, those beyond are not looked at."""


@attrs.define
class Part:
    """
    What one file holds of one block.

    `wanted` are the revisions that its summaries list, each summary the hashes and documents of
    its leaves. `has` are the hashes and the documents of its revisions.
    """

    wanted: list[tuple[_Leaf, ...]] = attrs.field(factory=list)
    has: set[bytes | str] = attrs.field(factory=set)
    time: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """Say whether the revisions of one of its summaries are all here."""
        return any(
            all(digest in self.has or document in self.has for digest, document in leaves)
            for leaves in self.wanted
        )

    def want(self, leaves: tuple[_Leaf, ...]) -> None:
        """Take in what a summary lists."""
        if leaves not in self.wanted and len(self.wanted) < _MOST_SUMMARIES:
            self.wanted.append(leaves)


class Holders:
    """Who holds what of the block that is being read, by file; new for each block."""

    def __init__(self) -> None:
        self.parts: dict[int, Part] = {}

    def feed(self, file: int, event: BlockSummary | RevisionDetails) -> None:
        """Take in what one file holds."""
        part = self.parts.setdefault(file, Part())
        if isinstance(event, RevisionDetails):
            part.has.add(event.revision.hash)
            part.has.add(event.revision.document_id or "")
            return
        part.time = part.time or event.block_timestamp
        leaves = [
            (leaf.hash, leaf.document_id)
            for leaf in event.revision_summaries
            if leaf.document_id is not None
        ]
        part.want(tuple(leaves))

    def joined(self, files: Iterable[int]) -> Part:
        """Say what some files hold together."""
        whole = Part()
        for part in map(self.parts.__getitem__, files):
            whole.has |= part.has
            whole.time = whole.time or part.time
            for leaves in part.wanted:
                whole.want(leaves)
        return whole
