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
"""

from __future__ import annotations

from qldb_stream.verification._block import verify_block
from qldb_stream.verification._chain import ChainVerifier

__all__ = ["ChainVerifier", "verify_block"]
