"""
The plug-in manager, met by distributions as pip installs them.

Each test writes a folder that looks like site-packages (a module and the `.dist-info` that
names it) and puts it on `sys.path`; nothing of importlib.metadata or pluggy is replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from qldb_stream.errors import PluginError, SinkUnavailableError, UsageError
from qldb_stream.plugins import BUILT_IN, load_plugins, open_sink
from qldb_stream.sinks.memory import MemorySink

OURS = (
    "dynamodb",
    "events",
    "ion",
    "jsonl",
    "kafka",
    "ledger",
    "memory",
    "opensearch+http",
    "opensearch+https",
    "parquet",
    "postgresql",
    "qldb",
    "sqlite",
    "webhook+http",
    "webhook+https",
)

GOOD = """
    from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl
    from qldb_stream.sinks.memory import MemorySink

    class Sink(MemorySink):
        def __init__(self, path, options):
            super().__init__()
            self.opened = (path, dict(options))

    @hookimpl
    def qldb_stream_register_sinks():
        options = (SinkOption("mode", "how", choices=("a", "b")), SinkOption("note", "any text"))
        return [SinkType("good", Sink, "a good sink", options)]
"""

Install = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a one-module distribution; answer the name that errors give its plug-in."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)

    def install_one(
        module: str, code: str, *, entry_points: str | None = None, metadata: str | None = None
    ) -> str:
        (tmp_path / f"{module}.py").write_text(dedent(code))
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        if metadata is None:
            metadata = f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n"
        if metadata:
            (info / "METADATA").write_text(metadata)
        if entry_points is None:
            entry_points = f"[qldb_stream]\nplug = {module}\n"
        (info / "entry_points.txt").write_text(entry_points)
        return f"plug ({module} 1.0)"

    yield install_one
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def broken_of(module: str) -> list[PluginError]:
    """Give the errors that name one test distribution."""
    return [error for error in load_plugins().broken if module in error.plugin]


def test_our_own_sinks_are_found_by_the_same_hook() -> None:
    """Without any plug-in, the schemes are ours and nothing is broken."""
    plugins = load_plugins()
    assert OURS == tuple(scheme for scheme in plugins.sink_types if scheme in OURS)
    assert set(BUILT_IN) == {plugins.owners[scheme] for scheme in OURS}
    assert () == plugins.broken


def test_an_installed_sink_is_found_and_opened_with_its_options(install: Install) -> None:
    """A distribution's sink opens by its URL, percent-escapes undone."""
    owner = install("good_plugin", GOOD)
    assert owner == load_plugins().owners["good"]
    sink = open_sink("good:a%20b?mode=a&note=x%26y", note="x&y")
    assert ("a b", {"mode": "a", "note": "x&y"}) == sink.opened  # type: ignore[attr-defined]  # the test's own class


BROKEN = {
    "import": ("1 / 0", "(loading)", "ZeroDivisionError"),
    "exit": ("raise SystemExit('bye')", "(loading)", "SystemExit: bye"),
    "nothing": ("", "(loading)", "implements no hook"),
    "unknown_hook": (
        """
        from qldb_stream.hookspecs import hookimpl
        @hookimpl
        def qldb_stream_register_sink(): ...
        """,
        "qldb_stream_register_sink",
        "there is no such hook",
    ),
    "arguments": (
        """
        from qldb_stream.hookspecs import hookimpl
        @hookimpl
        def qldb_stream_register_sinks(config): ...
        """,
        "(loading)",
        "PluginValidationError",
    ),
    "raises": (
        """
        from qldb_stream.hookspecs import hookimpl
        @hookimpl
        def qldb_stream_register_sinks():
            raise KeyError("missing")
        """,
        "qldb_stream_register_sinks",
        "KeyError: 'missing'",
    ),
    "shape": (
        """
        from qldb_stream.hookspecs import hookimpl
        @hookimpl
        def qldb_stream_register_sinks():
            return "good"
        """,
        "qldb_stream_register_sinks",
        "must return a sequence of SinkType, returned str",
    ),
    "members": (
        """
        from qldb_stream.hookspecs import hookimpl
        @hookimpl
        def qldb_stream_register_sinks():
            return [dict(scheme="x")]
        """,
        "qldb_stream_register_sinks",
        "must return SinkType values, returned dict",
    ),
    "scheme": (
        """
        from qldb_stream.hookspecs import SinkType, hookimpl
        @hookimpl
        def qldb_stream_register_sinks():
            return [SinkType("No Scheme", print, "")]
        """,
        "qldb_stream_register_sinks",
        "'No Scheme' cannot be a scheme",
    ),
    "callable": (
        """
        from qldb_stream.hookspecs import SinkType, hookimpl
        @hookimpl
        def qldb_stream_register_sinks():
            return [SinkType("inert", None, "")]
        """,
        "qldb_stream_register_sinks",
        "inert: open is not callable",
    ),
    "taken": (
        """
        from qldb_stream.hookspecs import SinkType, hookimpl
        @hookimpl
        def qldb_stream_register_sinks():
            return [SinkType("memory", print, "")]
        """,
        "qldb_stream_register_sinks",
        "the scheme memory belongs to qldb_stream.sinks.memory",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_named_and_takes_nobody_down(kind: str, install: Install) -> None:
    """Who, which hook and what is wrong are said; all other sinks are there."""
    code, hook, problem = BROKEN[kind]
    name = install(f"broken_{kind}", code)
    install("good_plugin", GOOD)
    (error,) = broken_of(f"broken_{kind}")
    assert (name, hook) == (error.plugin, error.hook)
    assert problem in error.problem
    assert {*OURS, "good"} <= load_plugins().sink_types.keys()
    assert isinstance(open_sink("memory:"), MemorySink)


def test_a_module_that_is_not_there_is_named(install: Install) -> None:
    """An entry point whose module is missing is a broken plug-in, not a crash."""
    install("gone", "", entry_points="[qldb_stream]\nplug = gone.away\n")
    (error,) = broken_of("gone")
    assert error.problem.startswith("ModuleNotFoundError")


def test_entry_points_that_cannot_be_parsed_are_named(install: Install) -> None:
    """Malformed metadata of a plug-in is reported for its distribution."""
    install("garbled", "", entry_points="[qldb_stream]\nno equals sign\n")
    (error,) = broken_of("garbled")
    assert ("garbled 1.0", "(loading)") == (error.plugin, error.hook)


def test_malformed_metadata_of_others_is_nobodys_business(install: Install) -> None:
    """A distribution that has no plug-in for us may be as broken as it likes."""
    install("stranger", "", entry_points="[console_scripts]\nno equals sign\n")
    assert [] == broken_of("stranger")


def test_entry_points_that_are_no_text_are_nobodys_business(
    install: Install, tmp_path: Path
) -> None:
    """A distribution whose entry points cannot be read takes nobody down."""
    install("stranger", "")
    (tmp_path / "stranger-1.0.dist-info" / "entry_points.txt").write_bytes(b"[\xff]\n")
    install("good_plugin", GOOD)
    plugins = load_plugins()
    assert ("plug (good_plugin 1.0)", ()) == (plugins.owners["good"], plugins.broken)


def test_a_distribution_without_metadata_is_survived(install: Install) -> None:
    """A `.dist-info` without METADATA still names its plug-in somehow."""
    install("nameless", GOOD, metadata="Metadata-Version: 2.1\n")
    assert "plug ((no name) (no version))" == load_plugins().owners["good"]


def test_of_two_distributions_with_one_name_the_first_counts(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What sys.path hides is not loaded a second time."""
    install("good_plugin", GOOD)
    hidden = tmp_path / "later" / "good_plugin-0.9.dist-info"
    hidden.mkdir(parents=True)
    (hidden / "METADATA").write_text("Metadata-Version: 2.1\nName: good.plugin\nVersion: 0.9\n")
    (hidden / "entry_points.txt").write_text("[qldb_stream]\nplug = nowhere\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(hidden.parent)])
    plugins = load_plugins()
    assert ("plug (good_plugin 1.0)", ()) == (plugins.owners["good"], plugins.broken)


def test_an_object_that_cannot_be_hashed_is_refused(install: Install) -> None:
    """A plug-in object that pluggy could not keep in a set is a broken plug-in."""
    install("odd", "plugin = []", entry_points="[qldb_stream]\nplug = odd:plugin\n")
    (error,) = broken_of("odd")
    assert error.problem.startswith("TypeError")


def test_a_plugin_that_has_nothing_to_offer_is_fine(install: Install) -> None:
    """A hook that answers None or an empty list names no sink and no problem."""
    code = """
        from qldb_stream.hookspecs import hookimpl
        @hookimpl
        def qldb_stream_register_sinks():
            return {answer}
    """
    install("silent", code.format(answer=None))
    install("empty", code.format(answer=[]))
    assert () == load_plugins().broken


def test_an_unknown_scheme_lists_what_there_is_and_what_is_broken(install: Install) -> None:
    """The broken plug-in may be the reason why a sink is missing, so it is told."""
    install("broken_import", "1 / 0")
    with pytest.raises(UsageError) as caught:
        open_sink("nosuch:x")
    listed = "".join(f"{scheme}:, " for scheme in OURS).removesuffix(", ")
    assert f"there is no sink nosuch:, only {listed}; " in str(caught.value)
    assert "plug-in plug (broken_import 1.0), hook (loading): ZeroDivision" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("good:?colour=red", {}, "has no option 'colour'; its options are mode, note"),
        ("memory:?colour=red", {}, "has no option 'colour'; it has no options"),
        ("good:?mode=c", {}, "option mode is one of a, b, not 'c'"),
        ("good:?mode=a", {"mode": "b"}, "option 'mode' is given twice"),
        ("good", {}, "names no sink"),
    ],
)
def test_wrong_usage_says_what_would_be_right(
    url: str, options: dict[str, str], message: str, install: Install
) -> None:
    """Unknown options and values are refused before the sink is opened."""
    install("good_plugin", GOOD)
    with pytest.raises(UsageError, match=r"sink|option") as caught:
        open_sink(url, **options)
    assert message in str(caught.value)


OPENING = """
    from qldb_stream.errors import SinkUnavailableError
    from qldb_stream.hookspecs import SinkType, hookimpl

    def foreign(path, options):
        raise OSError(f"cannot reach postgresql:{path}")

    def ours(path, options):
        raise SinkUnavailableError("x", "away")

    def wrong(path, options):
        return object()

    @hookimpl
    def qldb_stream_register_sinks():
        return [SinkType(open.__name__, open, "") for open in (foreign, ours, wrong)]
"""


def test_what_a_plugins_sink_raises_names_the_plugin(install: Install) -> None:
    """A foreign exception is translated, and a password in its text is masked."""
    name = install("opening", OPENING)
    with pytest.raises(PluginError) as caught:
        open_sink("foreign://user:secret@host/db")
    problem = "OSError: cannot reach postgresql://user:***@host/db"
    assert PluginError(name, "open", problem) == caught.value


def test_errors_of_our_tree_pass_as_they_are(install: Install) -> None:
    """A sink that says it is not available is not called broken."""
    install("opening", OPENING)
    with pytest.raises(SinkUnavailableError, match="away"):
        open_sink("ours:")


def test_what_is_opened_must_be_a_sink(install: Install) -> None:
    """An object without the methods of a sink is refused by name."""
    install("opening", OPENING)
    with pytest.raises(PluginError, match=r"object lacks a method of qldb_stream\.typing\.Sink"):
        open_sink("wrong:")
