"""Ion values as PartiQL sees them: kinds, members, comparison, index keys."""

from typing import Final
import enum

MAX_DIGITS: Final = 1000
MIN_EXPONENT: Final = -1000
MAX_EXPONENT: Final = 1000


class Missing(enum.Enum):
    MISSING = "MISSING"


MISSING: Final = Missing.MISSING
