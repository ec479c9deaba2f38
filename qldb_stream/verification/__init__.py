"""
Prove a journal from its own hashes: one block, the chain, a saved digest.

`verify_block` recomputes all that a client can recompute of one block; `ChainVerifier`
links the blocks of a strand and keeps the root that GetDigest would give. Both answer
with values and never raise because of what a block says.

What the hashes do not cover (facts 2.5): `blockAddress`, `transactionId` and
`blockTimestamp` of a block, `blockAddress` and `tableInfo` of a revision, and the stream's
ARN. Addresses, transaction ids, document ids and tables are compared wherever they are
repeated. Left over are `blockTimestamp` and the ARN everywhere; and, in a block without
revisions, `transactionId` and the strand's id, while its number is held by the chain.

A block need not have `transactionInfo` and `revisionSummaries`, and no hash tells a part
that was never there from one that was taken away. One of the two would miss the other;
but when both are stripped together, and the revisions with them, no hash notices: the
block passes with TRANSACTION_INFO not checkable, so that the report's level is partial.
"""

from __future__ import annotations

from qldb_stream.verification._block import verify_block
from qldb_stream.verification._chain import ChainVerifier
from qldb_stream.verification._documents import missing_documents
from qldb_stream.verification._statements import first_keyword

__all__ = ["ChainVerifier", "first_keyword", "missing_documents", "verify_block"]
