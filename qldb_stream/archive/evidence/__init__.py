"""
Prove one document to an outsider: the way from its revision to a digest, and a bundle of it.

`find_revision` reads an archive for it, `make_evidence` makes the bundle, `verify_proof` proves
what GetBlock and GetRevision answered. `verify.py` checks a bundle and knows nothing of this
package: it travels in each bundle, and runs wherever Python does.
"""

from __future__ import annotations

from qldb_stream.archive.evidence._answers import AnsweredProof, verify_proof
from qldb_stream.archive.evidence._bundle import Evidence, make_evidence
from qldb_stream.archive.evidence._given import find_in_answer, found_at
from qldb_stream.archive.evidence._indexed import maybe_find_by_index
from qldb_stream.archive.evidence._search import FoundRevision, check_found, find_revision
from qldb_stream.archive.evidence._sign import Signer, open_signer
from qldb_stream.parsers.answer import Answer, parse_answer

__all__ = [
    "Answer",
    "AnsweredProof",
    "Evidence",
    "FoundRevision",
    "Signer",
    "check_found",
    "find_in_answer",
    "find_revision",
    "found_at",
    "make_evidence",
    "maybe_find_by_index",
    "open_signer",
    "parse_answer",
    "verify_proof",
]
