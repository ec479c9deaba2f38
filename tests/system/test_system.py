"""
The whole system on this side of AWS.

A ledger streams to Kinesis (four shards, aggregated); a poller does what the event source
mapping does and calls the deployed zip in processes of their own; the destination, a ledger
server, is reached through pyqldb; Firehose's part is written into S3 and restored from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import attrs
import pytest

from qldb_stream import parse_record
from qldb_stream.events import RevisionDetails
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import verify_source
from qldb_stream.sources import open_source
from qldb_stream.testing import flip_bit
from tests.system.firehose import deliver_to_s3, download, event_of
from tests.system.functions import FunctionError
from tests.system.states import run_machine
from tests.system.worlds import ARCHIVE, World

MakeWorld: TypeAlias = Callable[..., World]

STATES = Path(__file__).resolve().parents[2] / "infra" / "cdk" / "parts" / "restore_run.json"


def test_source_and_destination_agree(make_world: MakeWorld) -> None:
    """What the source ledger streams is replayed in the destination, block by block."""
    world = make_world()
    world.tell()
    world.stream()
    mapping = world.map(world.deploy_replay())

    world.run(mapping)

    assert [] == mapping.failures
    assert [] == world.differences()


def test_the_archive_verifies_and_restores(make_world: MakeWorld, tmp_path: Path) -> None:
    """What Firehose writes verifies, and the archive's function mirrors it: the same digest."""
    world = make_world()
    world.tell()
    world.stream()
    kinesis, s3 = world.clients["kinesis"], world.clients["s3"]
    keys = deliver_to_s3(kinesis, s3, world.name, world.name)
    assert len(keys) > 1
    variables = {
        "QLDB_STREAM_SINK": f"ledger:{tmp_path / 'restored.ledger'}",
        "QLDB_STREAM_MODE": "mirror",
        "QLDB_STREAM_INBOX": world.inbox_url,
        "QLDB_STREAM_START": "0",
    }
    function = world.deploy(ARCHIVE, variables)

    for key in keys[::-1]:  # nobody promises an order
        function.invoke(event_of(world.name, key))

    function.close()
    report = verify_source(open_source([str(download(s3, world.name, tmp_path / "archive"))]))
    digest = world.source.digest()
    assert ((), [digest.digest]) == (report.problems, [found.digest for found in report.strands])
    with Ledger.open(tmp_path / "restored.ledger", read_only=True) as restored:
        assert digest.digest == restored.digest().digest


def test_a_prefix_is_restored_by_the_state_machine(make_world: MakeWorld, tmp_path: Path) -> None:
    """
    The machine of the deployment calls the archive's function until it is done: the same digest.

    One call has no time, some have little, one dies, and the state machine goes on. A misspelt
    prefix ends it at once.
    """
    world = make_world()
    world.tell()
    world.stream()
    deliver_to_s3(
        world.clients["kinesis"], world.clients["s3"], world.name, world.name, buffer=5_000
    )
    path = tmp_path / "third.ledger"
    variables = {
        "QLDB_STREAM_SINK": f"ledger:{path}",
        "QLDB_STREAM_MODE": "mirror",
        "QLDB_STREAM_INBOX": world.inbox_url,
        "QLDB_STREAM_START": "0",
        "QLDB_STREAM_LEASE_S": "2",
    }
    world.base = attrs.evolve(world.base, timeouts_ms=(1, 300, 300, 60_000))
    function = world.deploy(ARCHIVE, variables, kills=(2,))
    definition = json.loads(STATES.read_text(encoding="utf-8"))

    said, passed = run_machine(definition, function.invoke, {"bucket": world.name, "prefix": ""})
    calls = function.calls
    with pytest.raises(FunctionError, match=f"EmptyPrefixError: s3://{world.name}/misspelt/"):
        run_machine(definition, function.invoke, {"bucket": world.name, "prefix": "misspelt/"})

    function.close()
    assert calls + 1 == function.calls
    assert (True, True, 1) == (said["done"], said["ok"], function.killed)
    assert passed.count("Deliver") > 1
    with Ledger.open(path, read_only=True) as restored:
        assert world.source.digest().digest == restored.digest().digest


def test_a_shard_is_split_in_the_middle(make_world: MakeWorld) -> None:
    """A split while the stream is read loses nothing: children are read after their parents."""
    world = make_world()
    world.tell(3)
    world.stream()
    mapping = world.map(world.deploy_replay())
    is_split = False

    def is_over() -> bool:
        nonlocal is_split
        if mapping.delivered == world.sent and not is_split:
            is_split = True
            world.split()
            world.tell()
            world.stream()
        return is_split and mapping.delivered >= world.sent

    mapping.run(is_over)

    assert [] == mapping.failures
    assert [] == world.differences()


def test_every_batch_comes_twice(make_world: MakeWorld) -> None:
    """A batch that succeeded and comes again changes nothing."""
    world = make_world()
    world.tell()
    world.stream()
    mapping = world.map(world.deploy_replay(), twice=True)

    world.run(mapping)

    assert [] == mapping.failures
    assert [] == world.differences()


def test_the_handler_is_killed_at_random(make_world: MakeWorld) -> None:
    """Killed while it works, again and again, it ends where it would have ended."""
    world = make_world()
    world.tell()
    world.stream()
    function = world.deploy_replay(kill_share=0.5, seed=1)
    mapping = world.map(function, batch=5)

    world.run(mapping)
    world.drain_all()

    assert function.killed > 2
    assert mapping.failures
    assert [] == world.differences()


def test_the_destination_is_down_for_a_while(make_world: MakeWorld) -> None:
    """Records are taken meanwhile; the scheduled drain delivers them afterwards."""
    world = make_world()
    world.tell()
    world.stream()
    mapping = world.map(world.deploy_replay())

    with world.destination_down():
        world.run(mapping)
    world.drain_all()

    assert [] == mapping.failures
    assert [] == world.differences()


def test_foreign_bytes_are_kept_and_the_rest_flows(make_world: MakeWorld) -> None:
    """A record that is none of QLDB's is put aside, undecoded, and holds nothing up."""
    world = make_world()
    world.tell()
    world.put(b"what is this?")
    world.stream()
    mapping = world.map(world.deploy_replay())

    world.run(mapping)

    assert [] == mapping.failures
    assert [b"what is this?"] == world.quarantined()
    assert [] == world.differences()


def test_a_damaged_record_stops_its_strand_until_a_good_copy_comes(make_world: MakeWorld) -> None:
    """One flipped bit stops the strand at its block, which is named, and a good copy frees it."""
    world = make_world()
    world.tell()
    records = list(world.source.stream_records(aggregated=False))
    place = next(place for place, record in enumerate(records) if in_block(record, 11))
    good = records[place]
    records[place] = with_other_data(good)
    for record in records:
        world.put(record)
    mapping = world.map(world.deploy_replay())

    world.run(mapping)
    (stopped,) = world.drain()["strands"]
    world.put(good)
    world.run(world.map(mapping.function))
    world.drain_all()

    assert [] == mapping.failures
    assert ("stopped", 11) == (stopped["state"], stopped["waits_for"])
    assert 10 == stopped["position"]["sequenceNo"]
    assert "hash" in stopped["detail"]
    assert [] == world.differences()


def in_block(record: bytes, number: int) -> bool:
    """Say whether a record is a revision of a block."""
    event = parse_record(record)
    return isinstance(event, RevisionDetails) and number == event.address.sequence_no


def with_other_data(record: bytes) -> bytes:
    """Flip the lowest bit of the last byte of a revision's document."""
    event = parse_record(record)
    assert isinstance(event, RevisionDetails)
    assert event.revision.data_ion is not None
    return flip_bit(record, 8 * (event.revision.data_ion.end - 1))
