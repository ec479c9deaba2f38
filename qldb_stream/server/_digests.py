"""Digests, blocks and revisions with their proofs (facts 2.7 and 7)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from qldb_stream.errors import StatementError
from qldb_stream.events import BlockAddress
from qldb_stream.server._call import Call, Plane
from qldb_stream.server._faults import precondition_not_met

__all__ = ["get_digest"]


def get_digest(plane: Plane, call: Call) -> dict[str, Any]:
    """Give the digest of the journal as it is now."""
    try:
        digest = plane.ledgers.open(call.name).digest()
    except StatementError as exc:
        raise precondition_not_met(call.name, str(exc)) from exc
    return {
        "Digest": b64encode(digest.digest).decode("ascii"),
        "DigestTipAddress": {"IonText": _address_text(digest.tip)},
    }


def _address_text(address: BlockAddress) -> str:
    return f'{{strandId:"{address.strand_id}",sequenceNo:{address.sequence_no}}}'
