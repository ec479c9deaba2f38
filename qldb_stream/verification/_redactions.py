"""
Account for redacted revisions: was each redaction asked for?

Of a redacted revision the journal has nothing but the hash of its document, and that
recomputes whoever took the document out: without this account everything could be stripped
to its hash and still be verified. But a redaction that the service made was asked for by a
later transaction, whose redactionInfo names block, document and version and is hashed in
the chain (facts 2.6). So the two are matched, whichever comes first.

What the journal itself asked for is complete as it is: it says what is gone, since when and
by whose transaction, and nobody can add that without breaking the chain. It is counted for
itself and leaves a report's level alone. What nobody asked for among the blocks at hand is
not checkable, and makes the level partial: the request may be in blocks that are not here,
or the document was taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError
from qldb_stream.events import RevisionKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qldb_stream.events import Block, BlockAddress

__all__ = ["Redactions"]

_OPEN: Final = 100_000
"""How many unmatched revisions, and how many requests, are remembered; some 30 MB each."""

_UNASKED: Final = (
    "redacted without a request among the blocks at hand: only the hash of the document is there"
)
_TOO_MANY: Final = "redacted, and too many are for each request to be looked for"


class Redactions:
    """
    Matches redacted revisions with the requests for them.

    `count` says how many revisions were redacted, asked for or not. Up to `limit` unmatched
    ones are remembered, and as many requests; revisions beyond count as not checkable.
    """

    def __init__(self, *, limit: int = _OPEN) -> None:
        self.count = 0
        self._limit = limit
        self._unasked: set[tuple[BlockAddress, str, int]] = set()
        self._requests: set[tuple[BlockAddress, str, int]] = set()
        self._more = 0

    def feed(self, block: Block, *, is_verified: bool) -> None:
        """
        Take in a block, each once, in any order.

        Args:
            block: whole.
            is_verified: whether nothing in it failed; else its requests count for nothing.
        """
        for revision in block.revisions:
            if revision.kind is RevisionKind.REDACTED and revision.metadata is not None:
                metadata = revision.metadata
                self._add_revision((block.address, metadata.id, metadata.version))
        if block.summary.redaction_info is not None and is_verified:
            for request in _iter_requests(block):
                self._add_request(request)

    def not_checkable(self) -> Mapping[str, int]:
        """Count by reason the redacted revisions that no request was found for so far."""
        found = {_UNASKED: len(self._unasked), _TOO_MANY: self._more}
        return {reason: times for reason, times in found.items() if times}

    def _add_revision(self, key: tuple[BlockAddress, str, int]) -> None:
        self.count += 1
        if key in self._requests:
            self._requests.remove(key)
        elif len(self._unasked) < self._limit:
            self._unasked.add(key)
        else:
            self._more += 1

    def _add_request(self, key: tuple[BlockAddress, str, int]) -> None:
        if key in self._unasked:
            self._unasked.remove(key)
        elif len(self._requests) < self._limit:
            self._requests.add(key)


def _iter_requests(block: Block) -> Iterator[tuple[BlockAddress, str, int]]:
    info = block.summary.redaction_info
    try:
        for found in () if info is None else info.revisions:
            yield found.block_address, found.document_id, found.version
    except DecodeError:  # its own check fails, and then is_verified is not so
        return
