"""
Read Ion text, through amazon.ion; write timestamps so.

Strategy: the text that the service writes is read by `_plain_text`. For all other, amazon.ion's
text reader makes its values, our writer encodes them. It is imported on first use, because reader
and writer come with it whole. All text but a timestamp's is written by `_write_text`: amazon.ion's
writer does not quote every symbol that needs it, and is slow.

Rules: a value must not change on the way, so amazon.ion 0.15's C part, forty times as fast as its
Python, reads only text in which it alters nothing: it rounds decimals to 34 digits and exponents to
four, and cuts fractions of a second after nine places (tried with 0.15.0). `_C_READER_ALTERS` finds
such text, now and then also text that only looks like it. What the C part refuses, the Python part
reads again: it knows more of Ion, and says where an error is. The C part crashes the process on
bytes that are not UTF-8 and on a small buffer, so it is never given either. The C writer is not
used: it alters the same values and more. Neither part is given a symbol table: both make one as
large as it says, whatever it says (`_text_tables`). Its struct alone is read as any other, and
made a table of as that of binary Ion is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Generator, Iterator
from itertools import islice
from typing import Any, Final

from qldb_stream.errors import IonDecodeError, IonEncodeError
from qldb_stream.ion._plain_text import maybe_plain
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._stream import to_slice
from qldb_stream.ion._symbols import SYSTEM_TABLE, SymbolTable
from qldb_stream.ion._tables import parse_table
from qldb_stream.ion._text_tables import Mark, check_table, maybe_mark, with_names
from qldb_stream.ion._types import IVM

_C_READER_ALTERS: Final = re.compile(
    rb"[0-9][0-9_.]{30}"  # more digits than decimal128 has
    rb"|[0-9._][dD][+-]?(?:[6-9][0-9_]{3}|[0-9_]{5})"  # an exponent that it may not have
    rb"|:[0-9]{2}\.[0-9]{10}"  # more places of a second than nine
    rb"|\$ion_s"  # a symbol table written as text
)

# Both parts cut these (zeros in front do not count); in a string it only looks like a time, and
# `_plain_text` reads most strings.
_TOO_FINE: Final = re.compile(r":[0-9]{2}\.0*+[1-9][0-9]{28}")

_C_BUFFER_BYTES: Final = 1 << 16  # the least; it is for one token

_MAX_READS_AT_END: Final = 1000

_POSITION: Final = re.compile(r"at position (\d+)")  # in amazon.ion's messages


def iter_text(text: str | bytes) -> Iterator[IonSlice]:
    """
    Iterate over the top-level values of Ion text, lazily; each is a stream of its own.

    A byte order mark at the start is skipped: editors add one to saved digests (facts 7). Local
    symbol tables are read, as in binary Ion, and within the same bounds.

    Raises:
        IonDecodeError: not Ion text, or a bound exceeded; the values before the broken one have
            been yielded. The offset counts characters, as near as can be told, 0 where amazon.ion
            does not.
    """
    plain = maybe_plain(text)
    if plain is not None:
        yield plain
        return
    yield from _iter_under(_check_text(text), SYSTEM_TABLE)


def read_text(
    text: str | bytes, table: SymbolTable = SYSTEM_TABLE
) -> tuple[list[IonSlice], SymbolTable]:
    """
    Read a part of Ion text, from the symbol table in force.

    Returns:
        Its top-level values, each a stream of its own, and the table in force behind them.

    Raises:
        IonDecodeError: as `iter_text`.
    """
    plain = maybe_plain(text)
    if plain is not None:
        return [plain], table
    reading = _iter_under(_check_text(text), table)
    values = []
    while True:
        try:
            values.append(next(reading))
        except StopIteration as end:
            table = end.value
            return values, table


def _iter_under(text: str, table: SymbolTable) -> Generator[IonSlice, None, SymbolTable]:
    """Read what stands between symbol tables; give the last one back."""
    pos = 0
    while (mark := maybe_mark(text, pos, table)) is not None:
        yield from _iter_slices(text, pos, mark.start, table)
        table = SYSTEM_TABLE if mark.body is None else _read_table(text, mark, table)
        assert mark.end is not None  # a table that is cut off was refused
        pos = mark.end
    yield from _iter_slices(text, pos, len(text), table)
    return table


def _iter_slices(text: str, pos: int, end: int, table: SymbolTable) -> Iterator[IonSlice]:
    """Read a part of a text that has no symbol table in it."""
    named, problem = with_names(text[pos:end], table)
    if table is not SYSTEM_TABLE and problem is None:  # else it was looked at before
        plain = maybe_plain(named.lstrip(" \t\r\n"))
        if plain is not None:
            yield plain
            return
    try:
        for value in _iter_values(named):
            yield to_slice(value)
    except IonDecodeError as exc:
        error = problem or exc
        raise IonDecodeError(min(pos + error.offset, end), error.problem) from exc
    except IonEncodeError as exc:
        raise IonDecodeError(pos, exc.problem) from exc
    if problem is not None:
        raise IonDecodeError(pos + problem.offset, problem.problem)


def _read_table(text: str, mark: Mark, table: SymbolTable) -> SymbolTable:
    """Read the symbol table at a mark, which may add to the one in force."""
    start, end = check_table(text, mark)
    values = list(_iter_slices(text, start, end, table))
    if len(values) != 1:
        raise IonDecodeError(start, "a symbol table in Ion text is no struct")
    (struct,) = values
    try:
        return parse_table(struct.buf, struct.start, struct.end, table)
    except IonDecodeError as exc:
        raise IonDecodeError(mark.start, exc.problem) from exc


def _check_text(text: str | bytes) -> str:
    """Decode UTF-8, refuse what cannot be UTF-8, and drop the byte order mark."""
    try:
        if isinstance(text, str):
            text.encode("utf-8")
            return text.removeprefix("\ufeff")
        if text[:4] == IVM:
            raise IonDecodeError(0, "binary Ion stands where Ion text is expected")
        return bytes(text).decode("utf-8-sig")
    except UnicodeError as exc:
        start = getattr(exc, "start", 0)
        raise IonDecodeError(start, "Ion text is not UTF-8") from exc


def _iter_values(text: str) -> Iterator[Any]:
    """Read with the C part as far as it goes, the rest with the Python part."""
    if (fine := _TOO_FINE.search(text)) is not None:
        raise IonDecodeError(fine.start(), "a fraction of a second with more than 28 digits")
    values = _maybe_c_reader(text)
    count = 0
    while values is not None:
        try:
            value = next(values)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001 - whatever it is, the Python part says what is wrong
            break
        count += 1
        yield value
    yield from islice(_iter_python(text), count, None)


def _maybe_c_reader(text: str) -> Iterator[Any] | None:
    """Start amazon.ion's C reader, where there is one and it alters nothing of this text."""
    from amazon.ion import simpleion

    if not getattr(simpleion, "c_ext", False):
        return None
    data = text.encode("utf-8")
    if _C_READER_ALTERS.search(data):
        return None
    try:
        values: Iterator[Any] = simpleion.load_extension(
            io.BytesIO(data),
            single_value=False,
            parse_eagerly=False,
            text_buffer_size_limit=max(_C_BUFFER_BYTES, len(data)),
        )
    except Exception:  # noqa: BLE001 - as above
        return None
    return values


class _EndingText(io.StringIO):
    """
    Text that says so when it is asked again and again for more than there is.

    amazon.ion's Python reader (0.9.3 and 0.15.0) asks for ever when a comment is open at the end of
    text that ends in a long string; sound text makes it ask a few times.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._asked_in_vain = 0

    def read(self, size: int | None = -1, /) -> str:
        """Read on, up to the end and a bounded number of times beyond it."""
        data = super().read(size)
        if not data:
            self._asked_in_vain += 1
            if self._asked_in_vain > _MAX_READS_AT_END:
                raise EOFError
        return data


def _iter_python(text: str) -> Iterator[Any]:
    """Read with amazon.ion's Python part, its errors translated."""
    from amazon.ion import simpleion
    from amazon.ion.exceptions import IonException

    values = simpleion.load_python(_EndingText(text), single_value=False, parse_eagerly=False)
    while True:
        try:
            value = next(values)
        except StopIteration:
            return
        except Exception as exc:
            found = _POSITION.search(str(exc))
            offset = min(int(found[1]), len(text)) if found else 0
            # Its message quotes the text, which may be a document's, so it is not passed on. Its
            # own kind of error is raised where it looks; others, mostly, where the text ends.
            ends = "" if isinstance(exc, IonException) else ", or it ends within a value"
            raise IonDecodeError(offset, f"not Ion text{ends}") from exc
        yield value


def amazon_text(s: IonSlice) -> str:
    """
    Write a scalar as amazon.ion does; `to_text` is for everything but timestamps on its own.

    Raises:
        IonDecodeError: broken bytes, or a bound exceeded.
        IonEncodeError: amazon.ion cannot write it.
    """
    from amazon.ion import simpleion

    value = s.decode()
    out = io.BytesIO()
    try:
        simpleion.dump_python(value, out, binary=False, omit_version_marker=True)
    except Exception as exc:
        problem = f"the installed amazon.ion has no text for it ({type(exc).__name__})"
        raise IonEncodeError(problem) from exc
    return out.getvalue().decode("utf-8")
