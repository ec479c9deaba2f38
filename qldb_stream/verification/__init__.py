"""
Prove a journal from its own hashes: one block, the chain, a saved digest.

`verify_block` recomputes all that a client can recompute of one block; `ChainVerifier` links the
blocks of a strand and keeps the root that GetDigest would give, which `check_digests` compares
with what was saved; `Redactions` finds who asked for the documents that are gone. All answer
with values and never raise because of what a block says.

What the hashes do not cover (facts 2.5): `blockAddress`, `transactionId` and
`blockTimestamp` of a block, `blockAddress` and `tableInfo` of a revision, fields that nobody
knows, and the stream's ARN. Addresses, transaction ids, document ids and tables are compared
wherever they are repeated; but a strand's id is hashed in one place only, the addresses that a
redactionInfo names: a journal without redactions whose strand is renamed in every record
verifies. `blockTimestamp` is compared with the transaction's own times, which leaves an hour
after them open, and the ARN with nothing. In a block without revisions nothing repeats
`transactionId`, while its number is held by the chain.

Members of a tree are hashed in pairs, and which of a pair is first is not (`dot` commutes,
facts 2.5): revisions or entries that change places with their neighbour keep every hash. Each
is still there, in its block, with its own hash.

A block need not have `transactionInfo` and `revisionSummaries`, and no hash tells a part
that was never there from one that was taken away. One of the two would miss the other;
but when both are stripped together, and the revisions with them, no hash notices: the
block passes with TRANSACTION_INFO not checkable, so that the report's level is partial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qldb_stream._faces import import_from_home
from qldb_stream.verification._block import verify_block
from qldb_stream.verification._chain import ChainVerifier, Linked, LinkedRun
from qldb_stream.verification._digests import Proof, Saved, check_digests, keep_digests
from qldb_stream.verification._redactions import Redactions, Request, requests_of
from qldb_stream.verification._revision import HASH_ONLY
from qldb_stream.verification._summary import REDACT
from qldb_stream.verification._times import LATE

if TYPE_CHECKING:
    from qldb_stream.verification.diagnosis import Effort, Efforts

__all__ = [
    "HASH_ONLY",
    "LATE",
    "REDACT",
    "ChainVerifier",
    "Effort",
    "Efforts",
    "Linked",
    "LinkedRun",
    "Proof",
    "Redactions",
    "Request",
    "Saved",
    "check_digests",
    "keep_digests",
    "requests_of",
    "verify_block",
]

_HOME: Final = {"Effort": "diagnosis", "Efforts": "diagnosis"}


def __getattr__(name: str) -> Any:
    """Import what diagnoses on first use (PEP 562): nothing of it is needed where nothing fails."""
    return import_from_home(__name__, _HOME, name)
