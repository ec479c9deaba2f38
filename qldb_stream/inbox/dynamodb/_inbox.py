"""
The inbox in a table of DynamoDB; each subject's part is in the module of its name.

Strategy: what must be one step is one conditional write, or one transaction of the few items
that it is about; times are arguments, since DynamoDB has none; every read is consistent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final

import attrs

from qldb_stream.events import Block, RedactedRevision
from qldb_stream.inbox._limits import InboxLimits, check_release, check_times, check_totals
from qldb_stream.inbox._records import Entry, read_items
from qldb_stream.inbox.dynamodb._calls import Calls, make_client
from qldb_stream.inbox.dynamodb._checkpoints import Checkpoints
from qldb_stream.inbox.dynamodb._contents import Contents
from qldb_stream.inbox.dynamodb._erasure import Erasure
from qldb_stream.inbox.dynamodb._leases import Leases
from qldb_stream.inbox.dynamodb._objects import Objects
from qldb_stream.inbox.dynamodb._parked import Park
from qldb_stream.inbox.dynamodb._positions import Positions
from qldb_stream.inbox.dynamodb._quarantine import Quarantine
from qldb_stream.inbox.dynamodb._records import ROUNDS, Look, Records
from qldb_stream.inbox.dynamodb._schema import read_shards
from qldb_stream.inbox.dynamodb._status import came_of, maybe_strand, sum_up
from qldb_stream.inbox.dynamodb._table import Table
from qldb_stream.inbox.dynamodb._units import StaleViewError
from qldb_stream.inbox.dynamodb._values import maybe_number, need
from qldb_stream.ledger import Environment
from qldb_stream.report import (
    InboxStatus,
    Lease,
    ParkedBlock,
    Position,
    Quarantined,
    WaitingStrand,
)
from qldb_stream.typing import Item

__all__ = ["DynamoDbInbox", "DynamoDbOptions"]


@attrs.frozen
class DynamoDbOptions:
    """
    Where an inbox's table is, and how it is used.

    `bucket` takes what is too long for an item, below `prefix`. `shards` is for a new inbox:
    into how many partition keys each strand is parted. What is None, boto3 finds in
    environment and files, or is as usual.
    """

    region: str | None = None
    endpoint_url: str | None = None
    bucket: str | None = None
    prefix: str = ""
    shards: int | None = None
    s3_endpoint_url: str | None = None


class DynamoDbInbox:
    """
    What consumers share, in a table of DynamoDB; see `qldb_stream.typing.Inbox`.

    Threads may share one object; none survives a fork. The table must be there
    (`create_table`, or the CDK app).

    Args:
        table: its name.
        options: where it is.
        limits: how much it may hold.
        environment: ids, waits, and the time for what is no method's argument.
        client: a boto3 client for DynamoDB, instead of making one.

    Raises:
        InboxFileError: there is no such table, it is no inbox of this version, or a call is
            not allowed.
        InboxUnavailableError: DynamoDB does not answer, or throttles. Every method raises
            these two, and UsageError when the inbox is closed.
        UsageError: boto3 is not installed, or no client can be made.
    """

    def __init__(
        self,
        table: str,
        options: DynamoDbOptions | None = None,
        *,
        limits: InboxLimits | None = None,
        environment: Environment | None = None,
        client: Any = None,
    ) -> None:
        options = options or DynamoDbOptions()
        self._limits: Final = limits or InboxLimits()
        where = {"region": options.region, "endpoint_url": options.endpoint_url}
        calls = Calls(f"dynamodb:{table}", environment or Environment())
        used = client or make_client("dynamodb", **where)
        where["endpoint_url"] = options.s3_endpoint_url or options.endpoint_url
        self._table: Final = Table(used, table, calls)
        self._objects: Final = Objects(
            partial(make_client, "s3", **where), options.bucket, options.prefix, self._table
        )
        try:
            self._set_up(options.shards)
        except BaseException:
            self.close()
            raise

    def _set_up(self, shards: int | None) -> None:
        table, objects = self._table, self._objects
        contents = Contents(objects, self.name)
        self._records = Records(table, contents, objects, read_shards(table, shards))
        self._leases = Leases(table)
        self._positions = Positions(table)
        self._checkpoints = Checkpoints(table)
        self._park = Park(self._records, contents, self._limits)
        self._quarantine = Quarantine(table, contents, objects, self._limits)
        objects.remove_old()

    @property
    def name(self) -> str:
        """Give its name, as it stands in messages."""
        return self._table.name

    def put(self, items: Sequence[Item | Block], now_s: float) -> int:
        """
        Store what is not stored yet, once each by strand, number and the bytes' SHA-256.

        Blocks are stored as their records. Of a record that was erased before, the redacted
        form is stored. Records that cannot be read are kept in the quarantine, bounded.

        Returns:
            How many records were new; unreadable ones do not count.

        Raises:
            BacklogError: the inbox or its quarantine is full; nothing of `items` was stored.
            UsageError: a record is too long for an item, and there is no bucket. Others may
                have been stored.
            InboxUnavailableError: DynamoDB failed again and again; a part may be stored.
        """
        entries, unreadable = read_items(items)
        entries.sort(key=lambda entry: entry[0].address.strand_id)
        by_strand = groupby(entries, key=lambda entry: entry[0].address.strand_id)
        given = {strand_id: list(group) for strand_id, group in by_strand}
        looks = {
            strand_id: self._records.look(strand_id, group) for strand_id, group in given.items()
        }
        self._check_limits(looks)
        lost = [item for look in looks.values() for item in look.lost]
        self._quarantine.check([*unreadable, *lost])
        new = sum(self._put(looks[strand_id], group, now_s) for strand_id, group in given.items())
        self._quarantine.put([*unreadable, *lost], now_s)
        return new

    def _check_limits(self, looks: Mapping[str, Look]) -> None:
        records = sum(len(look.new) for look in looks.values())
        if not records:
            return
        size = sum(look.size for look in looks.values())
        for head in self._records.heads():
            records += maybe_number(head, "records")
            size += maybe_number(head, "record_bytes")
        check_totals(self._limits, records, size, self.name)

    def _put(self, look: Look, entries: Sequence[Entry], now_s: float) -> int:
        """Store what is new of a strand, looking again when something of it was erased."""
        stored = 0
        for _ in range(ROUNDS):
            try:
                for one in self._records.write(look, now_s):
                    stored += one
            except StaleViewError:
                look = self._records.look(look.strand_id, entries)
                self._quarantine.put(look.lost, now_s)
                continue
            return stored
        raise self._table.calls.busy(f"strand {look.strand_id}")

    def block(self, strand_id: str, sequence_no: int) -> tuple[Item, ...]:
        """
        Give all stored records of a block, in the order in which they came.

        One that was damaged in the table is an `Undecodable` in its place.
        """
        return self._records.block(strand_id, sequence_no)

    def next_stored(self, strand_id: str, number: int) -> int | None:
        """Give the lowest number above one of which anything is stored; None for nothing."""
        return self._records.lowest_after(strand_id, number)

    def arrivals(self, strand_id: str) -> int:
        """Give the strand's counter of arrivals; 0 for a strand that is not known."""
        return maybe_number(self._records.head(strand_id), "arrivals")

    def strands(self) -> tuple[str, ...]:
        """Name the strands of which anything ever came, in order."""
        found = came_of(self._records)
        return tuple([need(head, "strand_id", str, self.name) for head in found])

    def waiting(self, strand_id: str) -> WaitingStrand | None:
        """Say what is stored of a strand; None for one that is not known."""
        return maybe_strand(self._records, strand_id)

    def lease(self, key: str, ttl_s: float, now_s: float) -> Lease | None:
        """Take a free or expired lease; None while another holds it."""
        check_times(ttl_s, now_s)
        return self._leases.take(key, ttl_s, now_s)

    def renew(self, lease: Lease, ttl_s: float, now_s: float) -> Lease:
        """
        Prolong a lease, with the same token; an expired one too, if nobody has had it since.

        Raises:
            StaleTokenError: somebody else has had it since.
        """
        check_times(ttl_s, now_s)
        return self._leases.renew(lease, ttl_s, now_s)

    def release(
        self, lease: Lease, *, strand_id: str | None = None, arrivals: int | None = None
    ) -> bool:
        """
        Give a lease back; in one step with the comparison, when a strand is named.

        Returns:
            False when more came for the strand than `arrivals`: the lease is still held.

        Raises:
            UsageError: only one of strand and arrivals is given.
        """
        check_release(strand_id, arrivals)
        if strand_id is None:
            self._leases.release(lease)
            return True
        return self._leases.release_if(lease, strand_id, arrivals or 0)

    def position(self, sink: str, strand_id: str) -> Position | None:
        """Give what a sink is known to have of a strand; None for nothing."""
        return self._positions.read(sink, strand_id)

    def store_position(self, sink: str, position: Position, token: int) -> None:
        """
        Keep what a sink has; it is registered with that.

        Raises:
            StaleTokenError: the position was stored with a higher token.
        """
        self._positions.store(sink, position, token)

    def checkpoint(self, key: str) -> str | None:
        """Give the text that a source keeps under a key; None for nothing."""
        return self._checkpoints.read(key)

    def store_checkpoint(self, key: str, value: str, token: int) -> None:
        """
        Keep a text for a source, in place of what was there.

        Raises:
            StaleTokenError: it was stored with a higher token.
            UsageError: key or value are longer than the protocol allows.
        """
        self._checkpoints.store(key, value, token)

    def register(self, sink: str) -> bool:
        """Keep everything for a sink from now on; again does nothing. Say whether it is new."""
        return self._positions.register(sink)

    def forget(self, sink: str) -> None:
        """Keep nothing for a sink any more: its positions and parked blocks go."""
        self._positions.forget(sink)
        self._park.forget(sink)

    def trimmable(self, strand_id: str) -> int | None:
        """Give the number up to which every registered sink has a strand; None for nothing."""
        return self._positions.had(strand_id)

    def trim(self, strand_id: str) -> int:
        """
        Remove the records of blocks that every registered sink has; give their number.

        A sink has what its position has passed: parked blocks are in the park, gaps are
        declared. Nothing goes while a registered sink has no position in the strand, or
        none is registered.
        """
        last = self._positions.had(strand_id)
        return 0 if last is None else self._records.trim(strand_id, last)

    def erase(self, redacted: Sequence[RedactedRevision]) -> int:
        """
        Put the redacted form in place of stored and parked copies; give their number.

        The documents are gone from table and bucket when this returns, backups apart. Copies
        that come later are stored in their redacted form. Unreadable records lose their
        bytes where these name the document.
        """
        return Erasure(self._records, self._park, self._quarantine).run(redacted)

    def park(self, parked: ParkedBlock) -> None:
        """
        Keep a block for one sink; again with the same address replaces it.

        Raises:
            BacklogError: too many blocks are parked.
            UsageError: it is too long for an item, and there is no bucket.
        """
        self._park.park(parked)

    def parked(self, sink: str, strand_id: str) -> Iterator[ParkedBlock]:
        """Iterate over a sink's parked blocks of a strand, by number, one held at a time."""
        return self._park.iter_parked(sink, strand_id)

    def unpark(self, sink: str, strand_id: str, sequence_no: int) -> None:
        """Remove a parked block; one that is not there is no error."""
        self._park.unpark(sink, strand_id, sequence_no)

    def quarantined(self) -> Iterator[Quarantined]:
        """Iterate over what could not be read, in the order in which it came."""
        return self._quarantine.iter_quarantined()

    def discard_quarantined(self, until_s: float) -> int:
        """Remove what could not be read and came until a moment; give its number."""
        return self._quarantine.discard(until_s)

    def status(self) -> InboxStatus:
        """Sum up what it holds; it costs the same whatever waits."""
        parts = (self._records, self._leases, self._positions, self._park, self._quarantine)
        return sum_up(*parts)

    def close(self) -> None:
        """Let go of it; what is stored stays."""
        self._objects.close()
        self._table.close()
