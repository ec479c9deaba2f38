"""What is put to the test: how it is made, what it declares, how it is read back."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.plugins import load_plugins, open_sink
from qldb_stream.report import Guarantee
from qldb_stream.sinks.url import mask_url
from qldb_stream.testing.kit._place import fill_in, has_placeholder, placed
from qldb_stream.typing import Sink

__all__ = ["MakeSink", "ReadBack", "Subject", "import_named", "subject_of"]

MakeSink: TypeAlias = str | Callable[[], Sink]
"""A sink's URL, an importable callable without arguments, or its MODULE:NAME."""

ReadBack: TypeAlias = Callable[[Any], Any]
"""Is given an open sink and gives whatever describes its content and compares equal."""

_IMPORTABLE: Final = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)")


@attrs.frozen
class Subject:
    """
    The sink under test.

    `target` is a URL with its placeholders, or MODULE:NAME; both can be told to another
    process. `durable` says whether what was applied outlives the sink. `asked` names what the
    caller left open: an open sink with an attribute of that name has the last word.
    """

    target: str
    is_url: bool
    read_back: ReadBack | None = None
    guarantee: Guarantee = Guarantee.EXACTLY_ONCE
    can_park: bool = True
    takes_filtered: bool = True
    durable: bool = True
    asked: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Name the sink in messages, without passwords."""
        return mask_url(self.target) if self.is_url else self.target

    def open(self, place: Path) -> Sink:
        """
        Open the sink in a place.

        Raises:
            UsageError: the callable made something else.
        """
        if self.is_url:
            return open_sink(fill_in(self.target, place))
        with placed(place):
            made = import_named(self.target)()
        if not isinstance(made, Sink):
            raise UsageError(
                f"{self.target} made a {type(made).__name__}, which lacks a method of "
                "qldb_stream.typing.Sink"
            )
        return made


def subject_of(
    make_sink: MakeSink,
    read_back: ReadBack | None,
    *,
    guarantee: Guarantee | None = None,
    can_park: bool | None = None,
    takes_filtered: bool | None = None,
    durable: bool = True,
) -> Subject:
    """
    Find out what is meant; what is None is asked of the sink, or else of its type.

    Raises:
        UsageError: it is neither a URL nor importable, or leads to one place only.
    """
    target = make_sink if isinstance(make_sink, str) else _name_of(make_sink)
    types = load_plugins().sink_types
    found = types.get(target.partition(":")[0]) if isinstance(make_sink, str) else None
    if found is None and _IMPORTABLE.fullmatch(target) is None:
        known = ", ".join(f"{scheme}:" for scheme in types)
        raise UsageError(
            f"{mask_url(target)!r} is neither the URL of a sink ({known}) nor MODULE:NAME"
        )
    if found is None:
        import_named(target)
    elif durable and not has_placeholder(target):
        raise UsageError(
            f"{mask_url(target)} needs {{tmp}} (a fresh folder) or {{n}} (a fresh name), because "
            "every scenario begins with an empty sink"
        )
    declared = found or _NOTHING_SAID
    open_ones = (("can_park", can_park), ("takes_filtered", takes_filtered))
    return Subject(
        target,
        found is not None,
        read_back,
        declared.guarantee if guarantee is None else guarantee,
        declared.can_park if can_park is None else can_park,
        declared.takes_filtered if takes_filtered is None else takes_filtered,
        durable,
        frozenset({name for name, given in open_ones if given is None}),
    )


@attrs.frozen
class _Declared:
    """What a `SinkType` declares by its defaults."""

    guarantee: Guarantee = Guarantee.EXACTLY_ONCE
    can_park: bool = True
    takes_filtered: bool = True


_NOTHING_SAID: Final = _Declared()


def import_named(target: str) -> Any:
    """
    Import what MODULE:NAME names.

    Raises:
        UsageError: it cannot be imported, or there is no such name.
    """
    module, _, names = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as exc:
        raise UsageError(
            f"{target} cannot be imported, and a process that is killed must do so: {exc}"
        ) from exc
    return found


def _name_of(make_sink: Callable[[], Sink]) -> str:
    module = getattr(make_sink, "__module__", None)
    name = getattr(make_sink, "__qualname__", "<lambda>")
    if module in {None, "__main__"} or "<" in name:
        raise UsageError(
            f"{name} cannot be imported by another process, which is killed in some scenarios: "
            "give a function or class of a module, or its MODULE:NAME"
        )
    return f"{module}:{name}"
