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

from typing import TYPE_CHECKING, Final, TypeAlias

from qldb_stream.errors import DecodeError
from qldb_stream.events import BlockAddress, RevisionKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qldb_stream.events import Block

__all__ = ["Redactions", "Request", "requests_of"]

Request: TypeAlias = tuple[BlockAddress, str, int]
"""Block, document and version of a revision that is to be redacted."""

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
        self._unasked: set[Request] = set()
        self._requests: set[Request] = set()
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
        if is_verified:
            self.ask(requests_of(block))

    def ask(self, requests: Iterable[Request]) -> None:
        """Take in what a block without redacted revisions asks for; nothing in it has failed."""
        for request in requests:
            self._add_request(request)

    def not_checkable(self) -> Mapping[str, int]:
        """Count by reason the redacted revisions that no request was found for so far."""
        found = {_UNASKED: len(self._unasked), _TOO_MANY: self._more}
        return {reason: times for reason, times in found.items() if times}

    def _add_revision(self, key: Request) -> None:
        self.count += 1
        if key in self._requests:
            self._requests.remove(key)
        elif len(self._unasked) < self._limit:
            self._unasked.add(key)
        else:
            self._more += 1

    def _add_request(self, key: Request) -> None:
        if key in self._unasked:
            self._unasked.remove(key)
        elif len(self._requests) < self._limit:
            self._requests.add(key)


def requests_of(block: Block) -> tuple[Request, ...]:
    """Give the redactions that a block asks for; none where its redactionInfo is damaged."""
    info = block.summary.redaction_info
    if info is None:
        return ()
    try:
        return tuple([(r.block_address, r.document_id, r.version) for r in info.revisions])
    except DecodeError:  # its own check fails, and then is_verified is not so
        return ()
