"""The hooks: each is specified, documented, and implemented by our own sinks."""

from __future__ import annotations

import importlib
import inspect

import pluggy

from qldb_stream import hookspecs
from qldb_stream.hookspecs import PROJECT, SinkType
from qldb_stream.plugins import BUILT_IN


def make_manager() -> pluggy.PluginManager:
    """Make a manager that knows our specifications."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def test_every_hook_is_documented() -> None:
    """Each specification says in its docstring when it is called and what it answers."""
    hooks = [name for name in vars(hookspecs) if name.startswith("qldb_stream_")]
    assert {
        "qldb_stream_batch_done",
        "qldb_stream_block_delivered",
        "qldb_stream_block_parked",
        "qldb_stream_gap_found",
        "qldb_stream_inbox_full",
        "qldb_stream_register_sinks",
    } == set(hooks)
    assert all(inspect.getdoc(getattr(hookspecs, name)) for name in hooks)
    assert all(name in hookspecs.__all__ for name in hooks)


def test_every_hook_has_a_specification() -> None:
    """The marker makes a specification of every function that is named as a hook."""
    assert make_manager().hook.qldb_stream_register_sinks.has_spec()


def test_our_sinks_implement_the_hook_as_specified() -> None:
    """Pluggy accepts our modules, and each answers documented sink types."""
    manager = make_manager()
    for name in BUILT_IN:
        manager.register(importlib.import_module(name), name)
    manager.check_pending()
    answers: list[list[SinkType]] = manager.hook.qldb_stream_register_sinks()
    sink_types = [sink_type for answer in answers for sink_type in answer]
    schemes = {sink_type.scheme for sink_type in sink_types}
    assert len(BUILT_IN) <= len(schemes) == len(sink_types)
    assert all(sink_type.summary for sink_type in sink_types)
    assert all(option.summary for sink_type in sink_types for option in sink_type.options)
