"""Law 4: what hostile bytes cost is in proportion to them: counted work, never time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import pytest

from qldb_stream.errors import CarrierError, IonDecodeError
from qldb_stream.events import Undecodable
from qldb_stream.ion import IVM, load_slice
from qldb_stream.parsers.carrier import UserRecord, iter_user_records
from qldb_stream.parsers.effort import Effort
from qldb_stream.parsers.export import parse_export
from qldb_stream.parsers.kinesis import parse_kinesis_event
from qldb_stream.parsers.record import parse_record
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.testing import aggregate, flip_bit, get_records_answer, make_journal

RECORDS: Final = list(make_journal(9, blocks=12).iter_records())
SMALL: Final = min(RECORDS, key=len)
MAGIC: Final = b"\xf3\x89\x9a\xc2"
TABLE: Final = b"\xe7\x81\x83\xd4\x87\xb2\x81a"  # a symbol table of one symbol
FRAME: Final = aggregate(RECORDS[:3])

# What search after damage was tried with; each makes one attack of the length that is asked for.
CARRIERS: Final[dict[str, Callable[[int], bytes]]] = {
    "magic in the keys of a frame": lambda n: b"X" + MAGIC + (b"\x0a\x04" + MAGIC) * n,
    "frames of many empty keys": lambda n: b"X" + (MAGIC + b"\x0a\x00" * 20) * n,
    "frames that claim the rest": lambda n: b"X" + (MAGIC + b"\x0a\xff\xff\x03") * n,
    "text in text": lambda n: b"{payload:" * n,
    "quotes": lambda n: b"{payload:'" * n,
    "long strings": lambda n: b"{payload:'''" * n,
    "escaped long strings": lambda n: b"{payload:" + b"\\'''x'" * n,
    "comments": lambda n: b"{payload:/*" * n,
    "comments of one line": lambda n: b"{payload://" * n,
    "blobs": lambda n: b"{payload:{{A" * n,
    "sound text and comments": lambda n: b"{payload:1}{/*" * n,
    "sound text, junk and comments": lambda n: b"{payload:1}X{payload:/*" * n,
    "closed text that is no record": lambda n: (
        b"{payload:" * (n // 4) + b"'qldbStreamArn'" + b"}" * (n // 4)
    ),
    "records that claim the rest": lambda n: (b"X" + IVM + TABLE + b"\xde\x07\x7f\xff\xff") * n,
    "records that claim little": lambda n: (b"X" + IVM + TABLE + b"\xde\xe0") * n,
    "sound records, each before a claim": lambda n: (
        (SMALL + IVM + TABLE + b"\xde\x01\x7f\xff") * (n // 8)
    ),
    "damaged frames": lambda n: flip_bit(FRAME, 999) * (n // 64),
}


class Counting(BytesReadable):
    """Bytes that count how many of them were read."""

    read_bytes = 0

    def read_at(self, offset: int, size: int) -> bytes:
        """Read, and count."""
        data = super().read_at(offset, size)
        self.read_bytes += len(data)
        return data


@contextmanager
def counted_calls() -> Iterator[list[int]]:
    """Count every call, of Python functions and of C's."""
    calls = [0]

    def count(_frame: FrameType, event: str, _arg: Any) -> None:
        calls[0] += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def work_of(data: bytes) -> tuple[int, int, int]:
    """Walk a carrier, and give calls, effort in vain, and bytes read."""
    readable = Counting(data, "test")
    effort = Effort(len(data))
    with counted_calls() as calls:
        for _ in iter_user_records(readable, effort=effort):
            pass
    return calls[0], effort.spent, readable.read_bytes


@pytest.mark.parametrize("name", CARRIERS)
def test_the_work_for_a_carrier_is_in_proportion(name: str) -> None:
    """Twice as much of an attack costs at most twice as much, and never beyond the bound."""
    short, long = CARRIERS[name](2000), CARRIERS[name](4000)
    calls, _, _ = work_of(short)
    more_calls, spent, read = work_of(long)
    assert more_calls <= 2.5 * calls + 1000
    assert spent <= (1 << 20) + 4 * 140 * len(long)
    assert read <= 3 * len(long)


@pytest.mark.parametrize("name", CARRIERS)
def test_a_sound_record_far_behind_an_attack_is_found(name: str) -> None:
    """What was used up is earned again, so an attack hides only what is close to it."""
    data = CARRIERS[name](500)
    behind = len(data) * 20 + (1 << 17)
    walked = list(iter_user_records(BytesReadable(data + b"'" + b"\xaa" * behind + SMALL, "test")))
    assert SMALL == next(one.data for one in reversed(walked) if isinstance(one, UserRecord))


def test_damage_in_many_places_reads_a_carrier_a_few_times() -> None:
    """Bytes are held on for the next place, however far each of them looks."""
    long = b"{payload:1}X{payload:'"
    for unit, count in ((SMALL + b"XX", 30_000), (FRAME[:-1] + b"\0", 2000), (long, 3000)):
        data = unit * count
        readable = Counting(data, "test")
        places = sum(isinstance(one, Undecodable) for one in iter_user_records(readable))
        assert places >= 200
        assert readable.read_bytes <= 4 * len(data)


@pytest.mark.parametrize("separator", [b"|", b",", b"|\n", b" \x1e", b"\0"])
def test_a_delimiter_of_others_costs_one_problem(separator: bytes) -> None:
    """Thousands of records with a byte between them are read whole, and it is named once."""
    records = RECORDS * 60
    found = list(iter_user_records(BytesReadable(separator.join(records), "test")))
    assert records == [one.data for one in found if isinstance(one, UserRecord)]
    byte = separator.strip(b"\n ")
    problem = (
        f"the byte 0x{byte.hex()} stands {len(records) - 1} times between records and is no "
        "delimiter of theirs (space, tab, CR and LF are); nothing else is lost by it"
    )
    place = len(records[0]) + separator.index(byte)
    error = CarrierError("carrier", place, problem)
    assert Undecodable("test", place, 1, error, byte) == found[-1]
    assert len(records) + 1 == len(found)


TEXT_READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "parse_record": parse_record,
    "parse_export": lambda data: list(parse_export(data)),
    "parse_export of pieces": lambda data: list(parse_export([data[:9], data[9:]])),
    "get_records": lambda data: list(parse_kinesis_event(get_records_answer([data]))),
}


@pytest.mark.parametrize("reader", TEXT_READERS)
@pytest.mark.parametrize("name", [b"$ion_symbol_table", b"'$ion\\x5fsymbol_table'", b"$3"])
def test_text_makes_no_symbols_of_a_number(reader: str, name: bytes) -> None:
    """A table that imports a thousand million symbols is refused before anyone counts them."""
    table = name + b'::{imports:[{name:"x",version:1,max_id:1000000000}]} '
    with counted_calls() as calls, pytest.raises(IonDecodeError, match="symbol table"):
        TEXT_READERS[reader](b"$ion_1_0 " + table + b"{}")
    assert calls[0] < 100_000


def test_tables_that_append_are_refused_after_a_few() -> None:
    """In binary Ion thousands of appending tables before a value cost what the first ones cost."""
    append = b"\xe6\x81\x83\xd3\x86\x71\x03"
    for count in (100, 100_000):
        data = IVM + TABLE + append * count + b"\xd0"
        for read in (load_slice, parse_record):
            with counted_calls() as calls, pytest.raises(IonDecodeError, match="symbol tables"):
                read(data)
            assert calls[0] < 3000
