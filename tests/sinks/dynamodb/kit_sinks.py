"""The sink that the kit is given: a table for each place, in a moto server that others use too."""

from __future__ import annotations

from collections import deque
from hashlib import sha256
from pathlib import Path

import boto3

from qldb_stream.plugins import open_sink
from qldb_stream.testing.kit import kit_place
from qldb_stream.typing import Sink

REGION = "eu-central-1"
"""Of the kit's own: moto copies all tables of a region in each transaction."""

_KEPT = 3
_PLACES: deque[Path] = deque()


def dynamodb() -> Sink:
    """Open the sink of the place's table; tables of places long left are removed."""
    place = kit_place()
    if place not in _PLACES:
        _PLACES.append(place)
    if len(_PLACES) > _KEPT:
        boto3.client("dynamodb", REGION).delete_table(TableName=table_of(_PLACES.popleft()))
    return open_sink(f"dynamodb:{table_of(place)}?create=yes&region={REGION}")


def table_of(place: Path) -> str:
    """Name the table of a place."""
    return "kit-" + sha256(str(place).encode()).hexdigest()[:16]
