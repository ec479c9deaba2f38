"""
The keys of items: a table of two attributes, `pk` and `sk`, both strings.

    pk                   sk              what
    meta                 meta            version of the format, number of shards
    strand               STRAND          counters of a strand
    record#SHARD#STRAND  NUMBER#SHA-256  a record
    erased#SHARD#STRAND  NUMBER          what redactions named in a block
    lease                KEY             token and end of a lease
    checkpoint           KEY             what a source keeps, and the token of that
    sink                 SINK            a registered sink
    position             STRAND#SINK     what a sink has, and the token it was stored with
    parked#SINK          STRAND#NUMBER   a parked block
    parking              SINK#STRAND     how many blocks are parked there
    quarantine           ORDER#SHA-256   what could not be read
    quarantine-key       SHA-256         that it is there already
    count                quarantine      how much is in the quarantine
    object               OBJECT          an object of S3 that belongs to no item (now)

A block's records share a partition key with every SHARDS-th block of the strand: DynamoDB
writes 1,000 units a second to one partition key, whatever the table is billed by. Names in
capitals are themselves where they are short and plain, and else their SHA-256, so that a
stranger's names make no key that is too long or that means another.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

import attrs

from qldb_stream.errors import UsageError

__all__ = [
    "COUNT",
    "HASH_KEY",
    "META",
    "RANGE_KEY",
    "TTL_ATTRIBUTE",
    "Key",
    "erased_key",
    "number_text",
    "part",
    "record_partition",
]

HASH_KEY: Final = "pk"
"""The table's partition key, a string."""

RANGE_KEY: Final = "sk"
"""The table's sort key, a string."""

TTL_ATTRIBUTE: Final = "expires_at"
"""Where it stands (on leases alone), when DynamoDB may remove an item: seconds since 1970."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


@attrs.frozen
class Key:
    """An item's key."""

    pk: str
    sk: str


META: Final = Key("meta", "meta")
COUNT: Final = Key("count", "quarantine")


def part(name: str) -> str:
    """
    Give what stands for a name in a key.

    Raises:
        UsageError: it is no Unicode text.
    """
    if _PLAIN.fullmatch(name):
        return name
    try:
        return f"~{sha256(name.encode()).hexdigest()}"
    except UnicodeEncodeError as exc:
        raise UsageError("a sink, strand or lease has a name that is no Unicode text") from exc


def number_text(number: int) -> str:
    """Give a number (up to 2**63 - 1) as text that sorts as it does."""
    return f"{number:020d}"


def record_partition(strand_id: str, number: int, shards: int) -> str:
    """Give the partition key of a block's records."""
    return f"record#{number % shards}#{part(strand_id)}"


def erased_key(strand_id: str, number: int, shards: int) -> Key:
    """Give the key of what was erased in a block."""
    return Key(f"erased#{number % shards}#{part(strand_id)}", number_text(number))
