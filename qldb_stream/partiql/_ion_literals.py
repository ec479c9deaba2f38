"""
The values between back-ticks.

Times are the literals that applications splice into texts, because history() needs them
and samples show it so; such a text is new each time, and amazon.ion's reader would cost
more than the rest of the parser. They are read here where they have the plain shape, UTC
or no time of day; everything else is left to that reader.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from qldb_stream import ion
from qldb_stream.ion import Instant, IonSlice, timestamp_from, to_slice
from qldb_stream.partiql._times import DAY, MINUTE, SECOND

# Decimal places as far as datetimes have them; `\d` would take digits of other scripts.
_PLAIN_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T(?:([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?Z)?)?"
)


def read_ion_literal(text: str) -> list[IonSlice]:
    """
    Read what stands between back-ticks: the values there are, each a stream of its own.

    Raises:
        IonDecodeError: it is not Ion text.

    """
    match = _PLAIN_TIME.fullmatch(text)
    plain = None if match is None else _maybe_time(match)
    return list(ion.iter_text(text)) if plain is None else [plain]


def _maybe_time(match: re.Match[str]) -> IonSlice | None:
    """Make the timestamp; None when there is no such time, which the other reader tells."""
    year, month, day, hour, minute, second, fraction = match.groups()
    try:
        utc = datetime(  # noqa: DTZ001 - UTC is in the name
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
    except ValueError:
        return None
    precision = SECOND if second else MINUTE if hour else DAY
    offset = 0 if hour else None
    exponent = -len(fraction or "")
    return to_slice(timestamp_from(Instant(utc, precision, offset, exponent, int(fraction or 0))))
