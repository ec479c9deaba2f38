"""
Make documents that look like a business's: prices, times, parts, ids of others.

A document is made from a `random.Random`, the name of its table and the ids that it
may refer to, and from nothing else, so that a seed gives the same documents again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import Any, Final, TypeAlias

from qldb_stream.ion import timestamp_ms

__all__ = ["DocumentMaker", "make_document", "make_id", "table_names"]

DocumentMaker: TypeAlias = Callable[[Random, str, Sequence[str]], Any]
"""Makes a document from chance, the table's name and ids that it may refer to."""

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = tuple(a + b for a in _BASE62 for b in _BASE62)
_ID_PAIRS: Final = 11  # an id has 22 characters, facts 2.2
_NAMES: Final = ("Ada", "Björn", "Chidi", "Dolores", "Émile", "Fatima", "Gwen", "Haruto", "Ioana")
_CITIES: Final = ("Ålesund", "Bergamo", "Cork", "Dresden", "Esbjerg", "Faro", "Ghent", "Huesca")
_WORDS: Final = (
    "amber", "anchor", "basket", "birch", "candle", "canvas", "copper", "cotton", "drum",
    "ember", "feather", "flint", "garnet", "harbour", "indigo", "juniper", "kettle",
    "lantern", "linen", "maple", "meadow", "nickel", "oak", "pebble", "quartz", "quill",
    "ribbon", "saddle", "sorrel", "thistle", "timber", "umber", "velvet", "walnut", "willow",
    "yarrow", "zinc",
)  # fmt: skip
_TABLE_NAMES: Final = ("Customers", "Products", "Orders")
_EPOCH_MS: Final = 1_577_836_800_000  # 2020-01-01
_YEAR_MS: Final = 365 * 86_400_000
_PROSE: Final = " ".join(Random(62).choices(_WORDS, k=20_000))


def table_names(count: int) -> list[str]:
    """Name `count` tables; the kinds of documents repeat after three."""
    kinds = len(_TABLE_NAMES)
    return [_TABLE_NAMES[i % kinds] + (str(i // kinds) if i >= kinds else "") for i in range(count)]


def make_id(rng: Random) -> str:
    """Make an id as QLDB's are: 128 bits as 22 characters of base 62 (facts 2.2)."""
    number = rng.getrandbits(128)
    pairs = []
    for _ in range(_ID_PAIRS):
        number, pair = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs)


def make_document(
    rng: Random, table_name: str, references: Sequence[str], *, at_least_bytes: int = 0
) -> dict[str, Any]:
    """
    Make a document of the table's kind.

    Args:
        rng: where chance comes from.
        table_name: Customers, Products or Orders, with or without a number.
        references: ids of documents that it may refer to; may be empty.
        at_least_bytes: how long it is about to become, by a longer remark.
    """
    document = _KINDS[table_name.rstrip("0123456789")](rng, references)
    document["remark"] = make_remark(rng, at_least_bytes - 200)
    return document


def make_remark(rng: Random, length: int) -> str:
    """Make prose of at least `length` characters, and of a few in any case."""
    length = max(length, 10 + int(rng.random() * 40))
    start = int(rng.random() * (len(_PROSE) // 2))
    return (_PROSE[start:] + _PROSE * (length // len(_PROSE)))[:length]


def _below(rng: Random, bound: int) -> int:
    return int(rng.random() * bound)  # a tenth of the cost of randrange


def _pick(rng: Random, choices: Sequence[str]) -> str:
    return choices[int(rng.random() * len(choices))]


def _reference(rng: Random, references: Sequence[str]) -> str | None:
    return _pick(rng, references) if references else None


def _customer(rng: Random, references: Sequence[str]) -> dict[str, Any]:
    return {
        "number": f"C-{_below(rng, 1_000_000):06}",
        "name": f"{_pick(rng, _NAMES)} {_pick(rng, _WORDS).title()}",
        "address": {
            "street": f"{_pick(rng, _WORDS).title()} Street",
            "house": 1 + _below(rng, 300),
            "city": _pick(rng, _CITIES),
        },
        "since": timestamp_ms(_EPOCH_MS + _below(rng, _YEAR_MS)),
        "credit": Decimal(_below(rng, 10_000_000) - 1_000_000).scaleb(-2) or None,
        "recruited_by": _reference(rng, references),
    }


def _product(rng: Random, references: Sequence[str]) -> dict[str, Any]:
    return {
        "number": f"P-{_below(rng, 1_000_000):06}",
        "name": f"{_pick(rng, _WORDS)} {_pick(rng, _WORDS)}",
        "price": Decimal(1 + _below(rng, 100_000)).scaleb(-2),
        "weight_kg": rng.random() + 0.1,
        "stock": _below(rng, 5000) - 10,
        "sold": rng.random() < 0.5,  # noqa: PLR2004 - a coin
        "tags": [_pick(rng, _WORDS) for _ in range(_below(rng, 4))],
        "seal": rng.randbytes(16),
        "replaces": _reference(rng, references),
    }


def _order(rng: Random, references: Sequence[str]) -> dict[str, Any]:
    return {
        "number": f"O-{_below(rng, 1_000_000):06}",
        "customer": _reference(rng, references),
        "placed": timestamp_ms(_EPOCH_MS + _below(rng, _YEAR_MS)),
        "lines": [
            {
                "product": _reference(rng, references),
                "quantity": 1 + _below(rng, 20),
                "price": Decimal(1 + _below(rng, 100_000)).scaleb(-2),
            }
            for _ in range(1 + _below(rng, 3))
        ],
        "delivery": {"city": _pick(rng, _CITIES), "express": rng.random() < 0.2},  # noqa: PLR2004 - some
        "date": None,
    }


_KINDS: Final = dict(zip(_TABLE_NAMES, (_customer, _product, _order), strict=True))
