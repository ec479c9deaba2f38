"""
Digests, blocks and revisions with their proofs (facts 2.7 and 7).

The control plane's values are Ion text alone. An address that
names nothing, a tip before the block, another strand's id: all are InvalidParameterException, and
say which parameter.
"""

from __future__ import annotations

from base64 import b64encode
from itertools import islice
from typing import Any, Final

from qldb_stream.errors import IonDecodeError, IonEncodeError, LedgerAddressError, StatementError
from qldb_stream.events import BlockAddress
from qldb_stream.ion import IonSlice, iter_text, to_slice, to_text
from qldb_stream.ledger import Ledger
from qldb_stream.server._call import Call, Plane
from qldb_stream.server._faults import (
    internal_failure,
    invalid_parameter,
    precondition_not_met,
    using,
)

__all__ = ["get_block", "get_digest", "get_revision"]

# {strandId:"...",sequenceNo:...} and room for a client's way of writing it.
_ADDRESS_CHARACTERS: Final = 512
_ID_CHARACTERS: Final = 22


def get_digest(plane: Plane, call: Call) -> dict[str, Any]:
    """Give the digest of the journal as it is now."""
    ledger = _open(plane, call)
    try:
        with using(call.name):
            digest = ledger.digest()
    except StatementError as exc:
        raise precondition_not_met(call.name, str(exc)) from exc
    tip = f'{{strandId:"{digest.tip.strand_id}",sequenceNo:{digest.tip.sequence_no}}}'
    return {
        "Digest": b64encode(digest.digest).decode("ascii"),
        "DigestTipAddress": {"IonText": tip},
    }


def get_block(plane: Plane, call: Call) -> dict[str, Any]:
    """Give a block, and its proof against the digest of a tip when one is given."""
    ledger = _open(plane, call)
    address = _address(call, "BlockAddress", ledger)
    try:
        with using(call.name):
            found = ledger.block(address.sequence_no, tip=_tip(call, ledger, address))
    except LedgerAddressError as exc:
        raise invalid_parameter("BlockAddress", str(exc)) from exc
    return {"Block": _text(found.block), **_proof(found.proof)}


def get_revision(plane: Plane, call: Call) -> dict[str, Any]:
    """Give a document's revision of a block, and its proof when a tip is given."""
    ledger = _open(plane, call)
    address = _address(call, "BlockAddress", ledger)
    document_id = call.body.get("DocumentId")
    if not isinstance(document_id, str) or len(document_id) != _ID_CHARACTERS:
        raise invalid_parameter("DocumentId", f"DocumentId has {_ID_CHARACTERS} characters")
    try:
        with using(call.name):
            tip = _tip(call, ledger, address)
            found = ledger.revision(address.sequence_no, document_id, tip=tip)
    except LedgerAddressError as exc:
        raise invalid_parameter("BlockAddress", str(exc)) from exc
    return {"Revision": _text(found.revision), **_proof(found.proof)}


def _open(plane: Plane, call: Call) -> Ledger:
    plane.ledgers.settings(call.name)
    return plane.ledgers.open(call.name)


def _tip(call: Call, ledger: Ledger, address: BlockAddress) -> int | None:
    """Read the tip of the digest that a proof is to lead to; it must cover the block."""
    if "DigestTipAddress" not in call.body:
        return None
    tip = _address(call, "DigestTipAddress", ledger)
    if tip < address:
        raise invalid_parameter("DigestTipAddress", "DigestTipAddress is before BlockAddress")
    try:
        ledger.digest(tip.sequence_no)
    except LedgerAddressError as exc:
        raise invalid_parameter("DigestTipAddress", str(exc)) from exc
    return tip.sequence_no


def _address(call: Call, name: str, ledger: Ledger) -> BlockAddress:
    """Read a member that is a block's address in Ion text."""
    holder = call.body.get(name)
    text = holder.get("IonText") if isinstance(holder, dict) else None
    if not isinstance(text, str) or len(text) > _ADDRESS_CHARACTERS:
        raise invalid_parameter(name, f"{name} has IonText")
    try:
        values = [value.decode() for value in islice(iter_text(text), 2)]
    except IonDecodeError as exc:
        raise invalid_parameter(name, f"{name} is not Ion text") from exc
    fields = values[0] if len(values) == 1 and isinstance(values[0], dict) else {}
    strand_id, sequence_no = fields.get("strandId"), fields.get("sequenceNo")
    if strand_id != ledger.strand_id:
        raise invalid_parameter(name, f"{name} has another strandId than the ledger")
    if not isinstance(sequence_no, int) or isinstance(sequence_no, bool):
        raise invalid_parameter(name, f"{name} has a whole sequenceNo")
    return BlockAddress(ledger.strand_id, int(sequence_no))


def _text(value: IonSlice) -> dict[str, str]:
    try:
        return {"IonText": to_text(value)}
    except IonEncodeError as exc:
        raise internal_failure(f"{exc}; ask the ledger in process for its bytes") from exc


def _proof(proof: tuple[bytes, ...] | None) -> dict[str, Any]:
    return {} if proof is None else {"Proof": _text(to_slice(list(proof)))}
