"""
The plug-in manager: finds every kind of sink, ours and other people's.

Plug-ins are the modules that installed distributions name under the entry point group
``qldb_stream`` (see `qldb_stream.hookspecs`). Our own sinks come in by the same hook,
before all others, so that no plug-in can take a scheme of ours.

A bad plug-in is named and left out; it never takes the others down. Whatever is wrong
with it (metadata that cannot be parsed, a module that does not import, a hook that does
not exist or has other arguments, an exception, an answer of the wrong shape) becomes a
`PluginError` in `Plugins.broken`. It reaches the user when they ask for a sink that
is not there, because then the broken plug-in may be the reason.

Nothing is cached: a process opens few sinks, and what is installed may change.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import pluggy

from qldb_stream import hookspecs
from qldb_stream.errors import PluginError, QldbStreamError, UsageError
from qldb_stream.hookspecs import PROJECT, SinkType
from qldb_stream.observe import find_telemetry
from qldb_stream.sinks.url import SCHEME, SinkUrl, mask_url, parse_sink_url
from qldb_stream.typing import Sink

__all__ = [
    "FoundSink",
    "Observers",
    "Plugins",
    "find_sink",
    "load_observers",
    "load_plugins",
    "open_sink",
]

BUILT_IN: Final = (
    "qldb_stream.sinks.dynamodb",
    "qldb_stream.sinks.events",
    "qldb_stream.sinks.ion",
    "qldb_stream.sinks.jsonl",
    "qldb_stream.sinks.kafka",
    "qldb_stream.sinks.ledger",
    "qldb_stream.sinks.memory",
    "qldb_stream.sinks.opensearch",
    "qldb_stream.sinks.parquet",
    "qldb_stream.sinks.postgres",
    "qldb_stream.sinks.qldb",
    "qldb_stream.sinks.sqlite",
    "qldb_stream.sinks.webhook",
)

_SINKS_HOOK: Final = "qldb_stream_register_sinks"
_OBSERVING: Final = (
    "qldb_stream_batch_done",
    "qldb_stream_block_delivered",
    "qldb_stream_block_parked",
    "qldb_stream_gap_found",
    "qldb_stream_inbox_full",
)
_LOG: Final = logging.getLogger(__name__)
_LOADING: Final = "(loading)"
_OPENING: Final = "open"


@attrs.frozen
class Plugins:
    """
    What is installed: kinds of sinks by scheme, and what is broken.

    `owners` names the plug-in of each scheme: a module of ours, or ``NAME
    (DISTRIBUTION VERSION)``. Both mappings are in order of scheme.
    """

    sink_types: Mapping[str, SinkType]
    owners: Mapping[str, str]
    broken: tuple[PluginError, ...]


def load_plugins() -> Plugins:
    """
    Load every plug-in and ask each for its kinds of sinks.

    Returns:
        All that works, and a `PluginError` for each thing that does not. A plug-in of
        which one sink type is bad keeps its others.
    """
    manager, broken = _make_manager()
    found: dict[str, tuple[str, SinkType]] = {}
    for name, plugin in manager.list_name_plugin():
        broken += _collect_sinks(manager, name, plugin, found)
    in_order = sorted(found.items())
    return Plugins(
        {scheme: sink_type for scheme, (_, sink_type) in in_order},
        {scheme: name for scheme, (name, _) in in_order},
        tuple(broken),
    )


class Observers:
    """
    Who is told what happens; see the hooks of `qldb_stream.hookspecs`.

    Attributes:
        broken: what observers did wrong, once for each of them and each hook.
    """

    def __init__(self, manager: pluggy.PluginManager | None = None) -> None:
        """Take the hooks of a manager; without one there is nobody to tell."""
        self.broken: list[PluginError] = []
        # Each is called alone: pluggy would stop for all at the first exception.
        self._calls: dict[str, list[pluggy.HookImpl]] = {
            name: [] if manager is None else getattr(manager.hook, name).get_hookimpls()
            for name in _OBSERVING
        }

    def __bool__(self) -> bool:
        """Say whether there is anybody to tell."""
        return any(self._calls.values())

    def tell(self, hook: str, event: object) -> None:
        """Call a hook of every observer; whoever raises is named in `broken` and in the log."""
        for impl in self._calls[hook]:
            try:
                impl.function(**({"event": event} if impl.argnames else {}))
            except Exception as exc:  # noqa: BLE001 - a stranger's hook may raise anything
                self._name(PluginError(impl.plugin_name, hook, f"raised {type(exc).__name__}"))

    def _name(self, error: PluginError) -> None:
        if error not in self.broken:
            self.broken.append(error)
            _LOG.warning("%s", error)


def load_observers(*more: object) -> Observers:
    """
    Find every installed observer.

    Args:
        more: objects whose methods or functions are marked with `hookimpl`, told as well.

    OpenTelemetry is told where the process has loaded it (`qldb_stream.observe`).
    """
    manager, _ = _make_manager()
    telemetry = find_telemetry(more)
    for plugin in (*more, *(() if telemetry is None else (telemetry,))):
        manager.register(plugin)
    return Observers(manager)


def _make_manager() -> tuple[pluggy.PluginManager, list[PluginError]]:
    """Register our own plug-ins and what is installed; answer what is wrong with the latter."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    for module in BUILT_IN:
        manager.register(importlib.import_module(module), module)
    return manager, list(_register_installed(manager))


def open_sink(url: str, **options: str) -> Sink:
    """
    Open the sink that a URL names.

    Args:
        url: ``SCHEME:PATH?option=value``; see `qldb_stream.sinks.url`.
        options: more options, as if they stood in the URL.

    Raises:
        UsageError: no such scheme or option, a value that is not among the choices, an
            option given twice; the message lists what there is.
        PluginError: the plug-in's own code failed, or what it opened is no sink.
        DeliveryError: the sink cannot be opened now.
    """
    return find_sink(url, **options).open()


@attrs.frozen
class FoundSink:
    """A sink that a URL names, found among what is installed and not open yet."""

    owner: str
    sink_type: SinkType
    url: SinkUrl = attrs.field(repr=False)  # it may hold a password

    def open(self) -> Sink:
        """
        Open the sink.

        Raises:
            UsageError: what the sink itself refuses.
            PluginError: the plug-in's own code failed, or what it opened is no sink.
            DeliveryError: the sink cannot be opened now.
        """
        if self.owner in BUILT_IN:
            return self.sink_type.open(self.url.path, self.url.options)
        return _open_foreign(self.owner, self.sink_type, self.url.path, self.url.options)


def find_sink(url: str, **options: str) -> FoundSink:
    """
    Find the sink that a URL names, without opening it.

    Raises:
        UsageError: as `open_sink` says, what the sink itself refuses apart.
    """
    parsed = parse_sink_url(url)
    plugins = load_plugins()
    sink_type = plugins.sink_types.get(parsed.scheme)
    if sink_type is None:
        raise UsageError(_unknown_scheme(parsed.scheme, plugins))
    given = _merge_options(parsed, options)
    _check_options(sink_type, given)
    return FoundSink(plugins.owners[parsed.scheme], sink_type, attrs.evolve(parsed, options=given))


# --- loading -------------------------------------------------------------------------------


def _register_installed(manager: pluggy.PluginManager) -> Iterator[PluginError]:
    """Register what entry points name; yield what is wrong with the rest."""
    for distribution in _distributions():
        try:
            entry_points = distribution.entry_points.select(group=PROJECT)
        except Exception as exc:  # noqa: BLE001 - a stranger's metadata may fail in any way
            if _mentions_us(distribution):
                yield PluginError(_title(distribution), _LOADING, f"entry points: {exc}")
            continue
        for entry_point in entry_points:
            name = f"{entry_point.name} ({_title(distribution)})"
            problem = _register(manager, name, entry_point)
            if problem is not None:
                yield problem


def _register(
    manager: pluggy.PluginManager, name: str, entry_point: importlib.metadata.EntryPoint
) -> PluginError | None:
    """Load and register one plug-in; answer what is wrong with it."""
    try:
        plugin = entry_point.load()
        hash(plugin)  # pluggy keeps plug-ins in sets: one that cannot be would fail for all
        manager.register(plugin, name)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - a stranger's module may raise anything
        return PluginError(name, _LOADING, _describe(exc))
    callers = manager.get_hookcallers(plugin) or []
    unknown = sorted(caller.name for caller in callers if not caller.has_spec())
    if not unknown and callers:
        return None
    manager.unregister(plugin)
    if unknown:
        return PluginError(name, unknown[0], "there is no such hook")
    return PluginError(name, _LOADING, "implements no hook; mark functions with hookimpl")


def _distributions() -> Iterator[importlib.metadata.Distribution]:
    """
    Iterate over what is installed; of two with one name only the first is visible.

    Nothing where no entry point is for us: to read the names of a hundred takes 20 ms and more.
    """
    installed = list(importlib.metadata.distributions())
    if not any(map(_mentions_us, installed)):
        return
    seen: set[str] = set()
    for distribution in installed:
        name = _field(distribution, "Name").lower().replace("-", "_").replace(".", "_")
        if name not in seen:
            seen.add(name)
            yield distribution


def _title(distribution: importlib.metadata.Distribution) -> str:
    return f"{_field(distribution, 'Name')} {_field(distribution, 'Version')}"


def _field(distribution: importlib.metadata.Distribution, name: str) -> str:
    # Asking for a field that is not there answers None today and will raise tomorrow.
    metadata = distribution.metadata
    return metadata[name] if name in metadata else f"(no {name.lower()})"


def _mentions_us(distribution: importlib.metadata.Distribution) -> bool:
    try:
        return f"[{PROJECT}]" in (distribution.read_text("entry_points.txt") or "")
    except UnicodeError:
        return False


def _describe(exc: BaseException) -> str:
    """Say what was raised, in one line."""
    text = " ".join(str(exc).split())
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__


# --- asking for sinks ----------------------------------------------------------------------


def _collect_sinks(
    manager: pluggy.PluginManager,
    name: str,
    plugin: object,
    found: dict[str, tuple[str, SinkType]],
) -> Iterator[PluginError]:
    """Add one plug-in's sink types to `found`; yield what is wrong with them."""
    # Each is asked alone: pluggy would stop for all at the first exception.
    others = [other for _, other in manager.list_name_plugin() if other is not plugin]
    try:
        answers: list[Any] = manager.subset_hook_caller(_SINKS_HOOK, others)()
        sink_types = [sink_type for answer in answers for sink_type in _check_answer(answer)]
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - a stranger's hook may raise anything
        yield PluginError(name, _SINKS_HOOK, _describe(exc))
        return
    for sink_type in sink_types:
        problem = _check_sink_type(sink_type, found)
        if problem is None:
            found[sink_type.scheme] = (name, sink_type)
        else:
            yield PluginError(name, _SINKS_HOOK, problem)


def _check_answer(answer: Any) -> Sequence[Any]:
    if isinstance(answer, Sequence) and not isinstance(answer, str | bytes):
        return answer
    raise TypeError(f"must return a sequence of SinkType, returned {type(answer).__name__}")


def _check_sink_type(sink_type: Any, found: Mapping[str, tuple[str, SinkType]]) -> str | None:
    """Answer what is wrong with a sink type, None when nothing is."""
    if not isinstance(sink_type, SinkType):
        return f"must return SinkType values, returned {type(sink_type).__name__}"
    if SCHEME.fullmatch(str(sink_type.scheme)) is None:
        return f"{sink_type.scheme!r} cannot be a scheme"
    if not callable(sink_type.open):
        return f"{sink_type.scheme}: open is not callable"
    if sink_type.scheme in found:
        return f"the scheme {sink_type.scheme} belongs to {found[sink_type.scheme][0]}"
    return None


# --- opening -------------------------------------------------------------------------------


def _unknown_scheme(scheme: str, plugins: Plugins) -> str:
    known = ", ".join(f"{name}:" for name in plugins.sink_types)
    broken = "".join(f"; {problem}" for problem in plugins.broken)
    return f"there is no sink {scheme}:, only {known}{broken}"


def _merge_options(url: SinkUrl, more: Mapping[str, str]) -> dict[str, str]:
    for name, value in more.items():
        if url.options.get(name, value) != value:
            raise UsageError(f"option {name!r} is given twice, with two values")
    return {**url.options, **more}


def _check_options(sink_type: SinkType, given: Mapping[str, str]) -> None:
    known = {option.name: option for option in sink_type.options}
    for name, value in given.items():
        option = known.get(name)
        if option is None:
            offered = "its options are " + ", ".join(known) if known else "it has no options"
            raise UsageError(f"sink {sink_type.scheme}: has no option {name!r}; {offered}")
        if option.choices and value not in option.choices:
            raise UsageError(
                f"sink {sink_type.scheme}: option {name} is one of "
                f"{', '.join(option.choices)}, not {value!r}"
            )


def _open_foreign(owner: str, sink_type: SinkType, path: str, options: Mapping[str, str]) -> Sink:
    """Open a plug-in's sink; whatever it raises that is not ours names the plug-in."""
    try:
        sink = sink_type.open(path, options)
    except QldbStreamError:
        raise
    except Exception as exc:
        # The text may hold the URL, which may hold a password.
        raise PluginError(owner, _OPENING, mask_url(_describe(exc))) from exc
    if not isinstance(sink, Sink):
        raise PluginError(
            owner, _OPENING, f"{type(sink).__name__} lacks a method of qldb_stream.typing.Sink"
        )
    return sink
