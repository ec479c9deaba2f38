"""
Read, prove and deliver the journals of Amazon QLDB.

The public names; each is imported from the module that owns it when it is first
used, so that importing the package stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qldb_stream._faces import import_from_home

if TYPE_CHECKING:
    from qldb_stream.assembly import BlockAssembler
    from qldb_stream.events import NEED_MORE
    from qldb_stream.hookspecs import hookimpl
    from qldb_stream.ion import ion_hash
    from qldb_stream.ordering import EARLIEST, Sequencer
    from qldb_stream.parsers.export import parse_export
    from qldb_stream.parsers.kinesis import parse_kinesis_event
    from qldb_stream.parsers.kpl import deaggregate
    from qldb_stream.parsers.record import parse_record
    from qldb_stream.pipeline import Pipeline
    from qldb_stream.plugins import open_sink
    from qldb_stream.verification import ChainVerifier, verify_block

__all__ = [
    "EARLIEST",
    "NEED_MORE",
    "BlockAssembler",
    "ChainVerifier",
    "Pipeline",
    "Sequencer",
    "deaggregate",
    "hookimpl",
    "ion_hash",
    "open_sink",
    "parse_export",
    "parse_kinesis_event",
    "parse_record",
    "verify_block",
]

_HOME: Final = {
    "EARLIEST": "ordering",
    "NEED_MORE": "events",
    "BlockAssembler": "assembly",
    "ChainVerifier": "verification",
    "Pipeline": "pipeline",
    "Sequencer": "ordering",
    "deaggregate": "parsers.kpl",
    "hookimpl": "hookspecs",
    "ion_hash": "ion",
    "open_sink": "plugins",
    "parse_export": "parsers.export",
    "parse_kinesis_event": "parsers.kinesis",
    "parse_record": "parsers.record",
    "verify_block": "verification",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    return import_from_home(__name__, _HOME, name)


def __dir__() -> list[str]:
    """List the public names before they are imported."""
    return sorted({*globals(), *__all__})
