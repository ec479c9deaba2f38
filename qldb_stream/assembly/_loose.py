"""Revisions that no summary has listed yet, found by hash and by the block they claim."""

from __future__ import annotations

from qldb_stream.assembly._different import DifferentCopies
from qldb_stream.events import BlockAddress, Revision

__all__ = ["LooseRevisions"]


class LooseRevisions:
    """
    Holds different copies of revisions; equal ones are the caller's to keep out.

    `claims` tells the addresses that something here claims, and the hashes of it.
    """

    def __init__(self) -> None:
        self.claims: dict[BlockAddress, dict[bytes, None]] = {}
        self._by_hash: dict[bytes, DifferentCopies] = {}

    def has(self, revision: Revision) -> bool:
        """Say whether an equal copy is here."""
        copies = self._by_hash.get(revision.hash)
        return copies is not None and copies.has(revision)

    def add(self, revision: Revision) -> bool:
        """Keep a revision; False when there are too many of its hash, and it was dropped."""
        if not self._by_hash.setdefault(revision.hash, DifferentCopies()).add(revision):
            return False
        self.claims.setdefault(revision.address, {})[revision.hash] = None
        return True

    def take(self, digest: bytes) -> DifferentCopies:
        """Give up all copies of a hash."""
        found = self._by_hash.pop(digest, None) or DifferentCopies()
        for address in {revision.address for revision in found.revisions}:
            self._drop_claim(address, digest)
        return found

    def take_claims(
        self, address: BlockAddress, documents: frozenset[str] | None = None
    ) -> list[Revision]:
        """Give up what claims a block and one of some documents, None for any."""
        return [
            self._take_one(revision)
            for revision in self._claiming(address)
            if documents is None or revision.document_id in documents
        ]

    def oldest(self) -> BlockAddress | None:
        """Give the address that was claimed first; None when nothing is here."""
        return next(iter(self.claims), None)

    def _claiming(self, address: BlockAddress) -> list[Revision]:
        return [
            revision
            for digest in self.claims.get(address, ())
            for revision in self._by_hash[digest].revisions
            if revision.address == address
        ]

    def _take_one(self, revision: Revision) -> Revision:
        digest, address = revision.hash, revision.address
        copies = self._by_hash[digest]
        copies.remove(revision)
        if not copies.revisions:
            del self._by_hash[digest]
        if all(copy.address != address for copy in copies.revisions):
            self._drop_claim(address, digest)
        return revision

    def _drop_claim(self, address: BlockAddress, digest: bytes) -> None:
        hashes = self.claims[address]
        del hashes[digest]
        if not hashes:
            del self.claims[address]
