"""`qldb-stream sinks`: which kinds of sinks there are, and what each of them takes."""

from __future__ import annotations

from typing import Any

import attrs
import click
from rich.markup import escape

from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import console, make_printable, make_table, print_json
from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkType
from qldb_stream.plugins import Plugins, load_plugins

__all__ = ["sinks"]

EPILOG = """
\b
Examples:
  qldb-stream sinks
  qldb-stream sinks describe ledger
  qldb-stream sinks describe parquet --json
"""


@click.group(epilog=EPILOG, invoke_without_command=True)
@json_option
@click.pass_context
def sinks(context: click.Context, *, as_json: bool) -> int:
    """List the kinds of sinks, ours and those of plug-ins; `describe` one of them."""
    if context.invoked_subcommand is not None:
        return 0
    plugins = load_plugins()
    if as_json:
        print_json(
            {
                "ok": not plugins.broken,
                "sinks": [_brief(plugins, scheme) for scheme in plugins.sink_types],
                "broken": [str(problem) for problem in plugins.broken],
            }
        )
    else:
        rows = [
            (f"{scheme}:", found.guarantee.value, found.summary, plugins.owners[scheme])
            for scheme, found in plugins.sink_types.items()
        ]
        console().print(make_table("Sinks", ("sink", "guarantee", "what it is", "from"), rows))
        for problem in plugins.broken:
            console().print(f"  broken: {escape(make_printable(str(problem)))}", soft_wrap=True)
    return 1 if plugins.broken else 0


@sinks.command()
@click.argument("name", metavar="NAME")
@json_option
def describe(*, name: str, as_json: bool) -> int:
    """Describe one kind of sink: its options, and what it promises."""
    plugins = load_plugins()
    scheme = name.removesuffix(":")
    found = plugins.sink_types.get(scheme)
    if found is None:
        known = ", ".join(plugins.sink_types)
        broken = "".join(f"; {problem}" for problem in plugins.broken)
        raise UsageError(f"there is no sink {name!r}; there are {known}{broken}")
    if as_json:
        options = [attrs.asdict(option) for option in found.options]
        print_json({"ok": True} | _brief(plugins, scheme) | {"options": options})
    else:
        _print_type(found, plugins.owners[scheme])
    return 0


def _brief(plugins: Plugins, scheme: str) -> dict[str, Any]:
    found = plugins.sink_types[scheme]
    return {
        "scheme": scheme,
        "summary": found.summary,
        "owner": plugins.owners[scheme],
        "guarantee": found.guarantee.value,
        "can_park": found.can_park,
        "takes_filtered": found.takes_filtered,
    }


def _print_type(found: SinkType, owner: str) -> None:
    out = console()
    facts = (
        ("what it is", found.summary),
        ("from", owner),
        ("guarantee", found.guarantee.value),
        ("blocks may be parked", _word(found.can_park)),
        ("takes filtered blocks", _word(found.takes_filtered)),
    )
    url = f"{found.scheme}:{found.form}"
    out.print(make_table(url, ("", ""), facts))
    if not found.options:
        out.print("  It has no options.")
        return
    rows = [
        (option.name, ", ".join(option.choices), option.default or "", option.summary)
        for option in found.options
    ]
    title = f"Options, as in {url}?{found.options[0].name}=..."
    out.print(make_table(title, ("option", "one of", "default", "what it does"), rows))


def _word(value: bool) -> str:  # noqa: FBT001 - what it writes as a word
    return "yes" if value else "no"
