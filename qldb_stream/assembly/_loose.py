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
        for address in {revision.address for revision in found}:
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
            for revision in self._by_hash[digest]
            if revision.address == address
        ]

    def _take_one(self, revision: Revision) -> Revision:
        digest, address = revision.hash, revision.address
        others = [copy for copy in self._by_hash[digest] if copy is not revision]
        self._by_hash[digest] = others
        if not others:
            del self._by_hash[digest]
        if all(copy.address != address for copy in others):
            self._drop_claim(address, digest)
        return revision

    def _drop_claim(self, address: BlockAddress, digest: bytes) -> None:
        hashes = self.claims[address]
        del hashes[digest]
        if not hashes:
            del self.claims[address]
