"""Revisions that no summary has listed yet, found by hash and by the block they claim."""

from __future__ import annotations

from qldb_stream.assembly._copies import same_revision
from qldb_stream.events import BlockAddress, Revision

__all__ = ["LooseRevisions"]


class LooseRevisions:
    """
    Holds different copies of revisions; equal ones are the caller's to keep out.

    `claims` tells the addresses that something here claims, and the hashes of it.
    """

    def __init__(self) -> None:
        self.claims: dict[BlockAddress, dict[bytes, None]] = {}
        self._by_hash: dict[bytes, list[Revision]] = {}

    def has(self, revision: Revision) -> bool:
        """Say whether an equal copy is here."""
        return any(same_revision(known, revision) for known in self._by_hash.get(revision.hash, ()))

    def add(self, revision: Revision) -> None:
        """Keep a revision."""
        self._by_hash.setdefault(revision.hash, []).append(revision)
        self.claims.setdefault(revision.address, {})[revision.hash] = None

    def take(self, digest: bytes) -> list[Revision]:
        """Give up all copies of a hash."""
        found = self._by_hash.pop(digest, [])
        for revision in found:
            self._drop_claim(revision)
        return found

    def take_claims(self, address: BlockAddress, documents: frozenset[str]) -> list[Revision]:
        """Give up what claims a block and one of some documents."""
        return [
            self._take_one(revision)
            for revision in self._claiming(address)
            if revision.document_id in documents
        ]

    def take_others(self, address: BlockAddress, documents: frozenset[str]) -> list[Revision]:
        """Give up what claims a block and none of some documents."""
        return [
            self._take_one(revision)
            for revision in self._claiming(address)
            if revision.document_id not in documents
        ]

    def oldest(self) -> BlockAddress | None:
        """Give the address that was claimed first; None when nothing is here."""
        return next(iter(self.claims), None)

    def _claiming(self, address: BlockAddress) -> list[Revision]:
        return [
            revision
            for digest in self.claims.get(address, ())
            for revision in self._by_hash[digest]
            if revision.address == address
        ]

    def _take_one(self, revision: Revision) -> Revision:
        copies = self._by_hash[revision.hash]
        self._by_hash[revision.hash] = [copy for copy in copies if copy is not revision]
        if not self._by_hash[revision.hash]:
            del self._by_hash[revision.hash]
        self._drop_claim(revision)
        return revision

    def _drop_claim(self, revision: Revision) -> None:
        """Forget a claim, unless another copy of the hash makes it, too."""
        copies = self._by_hash.get(revision.hash, ())
        if any(copy.address == revision.address for copy in copies):
            return
        hashes = self.claims.get(revision.address)
        if hashes is not None:
            hashes.pop(revision.hash, None)
            if not hashes:
                del self.claims[revision.address]
