"""
Verify a block of an export straight over its bytes, where it is as nearly all are.

Strategy: `parse_block` makes a value of each part and `verify_block` a check of each rule; that is
what reports are made of, and most of their time. Here the same hashes are computed and the same
comparisons made in one walk that makes neither, and what comes again and again (a table's
documents, a transaction's id and time) is hashed once. Whatever is not as the service writes it, or
not as it should be, is left to those two. So nothing is refused here and no problem is told; and
what is accepted here is what they would find sound, which tests hold over altered blocks of all
kinds.

Left to them, besides: blocks that redact, have no transactionInfo or a redacted revision; the first
block, whose predecessor has no hash; numbers of more than seven bytes.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

from qldb_stream.errors import QldbStreamError
from qldb_stream.hashing import dot, merkle_root
from qldb_stream.ion import (
    SYSTEM_TABLE,
    IonSlice,
    SymbolTable,
    hash_span,
    name_form,
    span_form,
    struct_form,
)
from qldb_stream.parsers.export_places import Sighted
from qldb_stream.parsers.layouts import maybe_address, maybe_time
from qldb_stream.parsers.parts import element_spans, struct_fields
from qldb_stream.pipeline._seen_transaction import (
    NUMBERS,
    STRUCTS,
    NotSeenError,
    SeenTransaction,
    Span,
    digest_at,
    id_at,
)
from qldb_stream.pipeline._sound import SoundBlock
from qldb_stream.report import DeleteRule
from qldb_stream.verification import HASH_ONLY, LATE

__all__ = ["maybe_sound_at_sight"]

# How many fields there are; all of them are asked for by their names.
_BLOCK_FIELDS: Final = 8  # without revisions
_REVISION_FIELDS: Final = 4
_DELETE_FIELDS: Final = 3

# What metadata begin with: a struct whose length is a VarUInt of one byte; then an id.
_STRUCT: Final = 0xDE
_ENDS: Final = 0x80
_ID_BYTES: Final = 22

_ID_FORM: Final = name_form("id") + b"\x0b\x80"
_TX_ID_FORM: Final = name_form("txId") + b"\x0b\x80"
_TIME_NAME: Final = name_form("txTime")
_VERSION_NAME: Final = name_form("version")


def maybe_sound_at_sight(value: IonSlice) -> Sighted | None:
    """
    Say of a block that it is sound, as `maybe_sound` says it when the block is read.

    Returns:
        With a `SoundBlock` as its answer; None where the block is to be read and asked about.
    """
    try:
        return _sighted(value.buf, (value.start, value.end), value.symbols)
    except (NotSeenError, QldbStreamError, LookupError):  # a field or a symbol is not there
        return None


def _sighted(buf: bytes, span: Span, table: SymbolTable) -> Sighted:
    fields = struct_fields(buf, span, table, "")
    of_revisions = fields.pop("revisions", None)
    if len(fields) != _BLOCK_FIELDS:
        raise NotSeenError
    start, end = fields["blockAddress"]
    address = maybe_address(buf, start, end, table)
    timestamp = maybe_time(buf, *fields["blockTimestamp"])
    if address is None or timestamp is None:
        raise NotSeenError
    block_hash = digest_at(buf, fields["blockHash"])
    previous = digest_at(buf, fields["previousBlockHash"])
    of_members = element_spans(buf, fields["entriesHashList"], table, "")
    members = [digest_at(buf, one) for one in of_members]
    entries_hash = digest_at(buf, fields["entriesHash"])
    if merkle_root(members) != entries_hash or dot(entries_hash, previous) != block_hash:
        raise NotSeenError
    info = SeenTransaction(buf, fields["transactionInfo"], table)
    found = _Revisions(buf[start:end], id_at(buf, fields["transactionId"]), info)
    if of_revisions is not None:
        for one in element_spans(buf, of_revisions, table, ""):
            found.add(buf, one, table)
    found.check(members, timestamp)
    leaves = b"".join(found.leaves)
    sound = SoundBlock(
        address.strand_id,
        address.sequence_no,
        timestamp,
        block_hash,
        previous,
        found.count,
        (HASH_ONLY,) * (len(found.leaves) - found.count),
        found.delete_rule,
    )
    return Sighted(address, block_hash, leaves, found.count, sound)


class _Revisions:
    """
    What a block's revisions say, while they are walked.

    Attributes:
        leaves: their hashes.
        count: how many have contents; the others are hashes alone.
        delete_rule: by which deletes have their hashes; None where there is none.
    """

    def __init__(self, address: bytes, tx_id: bytes, info: SeenTransaction) -> None:
        self.leaves: list[bytes] = []
        self.count = 0
        self.delete_rule: DeleteRule | None = None
        self._address: Final = address
        self._tx_id: Final = tx_id
        self._tx_digest: Final = sha256(_TX_ID_FORM + tx_id + b"\x0e").digest()
        self._info: Final = info
        self._ids: set[bytes] = set()
        self._latest: datetime | None = None
        self._time = self._time_digest = b""  # of the last one

    def add(self, buf: bytes, span: Span, table: SymbolTable) -> None:
        """Check one against itself, and against the block that holds it."""
        fields = struct_fields(buf, span, table, "")
        leaf = digest_at(buf, fields["hash"])
        self.leaves.append(leaf)
        if len(fields) == 1:
            return
        start, end = fields["blockAddress"]
        if buf[start:end] != self._address:
            raise NotSeenError
        start, end = fields["metadata"]
        document_id, computed = self._hash_metadata(buf, start, end, table)
        if len(fields) == _REVISION_FIELDS:
            start, end = fields["data"]
            if buf[start] not in STRUCTS:
                raise NotSeenError
            computed = dot(computed, hash_span(buf, start, end, table))
        elif len(fields) == _DELETE_FIELDS and self._info.deletes(document_id):
            self.delete_rule = DeleteRule.METADATA_ONLY
        else:
            raise NotSeenError
        if computed != leaf:
            raise NotSeenError
        self.count += 1
        self._ids.add(document_id)

    def _hash_metadata(
        self, buf: bytes, pos: int, end: int, table: SymbolTable
    ) -> tuple[bytes, bytes]:
        """Give the document's id, and the hash of all of it, laid out as in `layouts`."""
        texts = table.texts
        version = pos + 5 + _ID_BYTES
        tx = end - 3 - _ID_BYTES
        if version + 1 >= tx or buf[pos] != _STRUCT or buf[pos + 1] < _ENDS:
            raise NotSeenError
        time = version + 2 + buf[version + 1] - NUMBERS.start
        if buf[version + 1] not in NUMBERS or time + 1 >= tx:  # a txTime has a value
            raise NotSeenError
        first, second, third, fourth = buf[pos + 2], buf[version], buf[time], buf[tx]
        if not first & second & third & fourth & _ENDS:
            raise NotSeenError
        if (
            texts[first - _ENDS] != "id"
            or texts[second - _ENDS] != "version"
            or texts[third - _ENDS] != "txTime"
            or texts[fourth - _ENDS] != "txId"
        ):
            raise NotSeenError
        document_id = id_at(buf, (pos + 3, version))
        if id_at(buf, (tx + 1, end)) != self._tx_id:
            raise NotSeenError
        self._hash_time(buf[time + 1 : tx])
        digests = [
            sha256(_ID_FORM + document_id + b"\x0e").digest(),
            _version_digest(buf[version + 1 : time]),
            self._time_digest,
            self._tx_digest,
        ]
        return document_id, sha256(struct_form(digests)).digest()

    def _hash_time(self, time: bytes) -> None:
        """Take note of a txTime; nearly all of a block are the same."""
        if time == self._time:
            return
        moment = maybe_time(time, 0, len(time))
        if moment is None:
            raise NotSeenError
        if self._latest is None or self._latest < moment:
            self._latest = moment
        form = span_form(time, 0, len(time), SYSTEM_TABLE)
        self._time, self._time_digest = time, sha256(_TIME_NAME + form).digest()

    def check(self, members: list[bytes], timestamp: datetime) -> None:
        """Compare what the block says in several places."""
        info = self._info
        if info.hash not in members or self._ids != info.documents.keys():
            raise NotSeenError
        leaves = self.leaves
        if leaves:
            root = merkle_root(leaves)
            if root not in members or root == info.hash or len(set(leaves)) != len(leaves):
                raise NotSeenError
        if self._latest is None:
            if timestamp < info.started():
                raise NotSeenError
        elif timestamp < self._latest or timestamp - self._latest > LATE:
            raise NotSeenError  # no sum: it may be beyond the year 9999


@lru_cache(maxsize=1024)
def _version_digest(version: bytes) -> bytes:
    return sha256(_VERSION_NAME + span_form(version, 0, len(version), SYSTEM_TABLE)).digest()
