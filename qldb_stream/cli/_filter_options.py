"""
The options that make a filter: what is delivered of a journal, and what is masked.

`filter_options` puts them on a command, which gets a `Filter`, or None when none was given, as
`block_filter`. `WatchedFilter` tells afterwards which rules did nothing.
"""

from __future__ import annotations

import functools
import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from qldb_stream.cli._options import add_options
from qldb_stream.errors import NothingPassedError, UsageError
from qldb_stream.events import Block
from qldb_stream.filters import Filter, UnmetRules, parse_filter

__all__ = ["WatchedFilter", "filter_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option(
        "--filter",
        "filter_file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="Rules in a file, TOML or (.json) JSON; the options below add to them.",
    ),
    click.option("--tables", metavar="NAME,...", multiple=True, help="Deliver these tables only."),
    click.option(
        "--exclude-tables", metavar="NAME,...", multiple=True, help="Deliver all but these tables."
    ),
    click.option(
        "--rename",
        "renames",
        metavar="OLD=NEW",
        multiple=True,
        help="Deliver a table by another name. May be repeated.",
    ),
    click.option(
        "--mask",
        "masks",
        metavar="TABLE.PATH=HOW",
        multiple=True,
        help="Mask a field: hash, drop or text:TEXT; * is every table. May be repeated.",
    ),
    click.option(
        "--where",
        "conditions",
        metavar="'TABLE: EXPRESSION'",
        multiple=True,
        help="Deliver the documents of a table for which this is true. May be repeated.",
    ),
    click.option(
        "--salt-env",
        metavar="NAME",
        help="The environment variable that holds the secret for --mask ...=hash.",
    ),
)

_NAMES: Final = (
    "filter_file",
    "tables",
    "exclude_tables",
    "renames",
    "masks",
    "conditions",
    "salt_env",
)


def filter_options(command: Command) -> Command:
    """
    Add the options to a command; it gets `block_filter` in their place.

    What makes no sense is a `click.UsageError` or a `UsageError`, before the command runs.
    """

    @functools.wraps(command)
    def with_filter(*args: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in _NAMES}
        return command(*args, block_filter=_maybe_filter(**given), **options)

    wrapped: Any = with_filter
    decorated: Command = add_options(wrapped, _OPTIONS)
    return decorated


class WatchedFilter:
    """A filter, or none, and what of its rules met something."""

    def __init__(self, rules: Filter | None) -> None:
        self._rules = rules
        self._unmet = None if rules is None else UnmetRules(rules)
        self._has_filtered = False

    @property
    def apply(self) -> Callable[[Block], Block] | None:
        """Give what filters a block; None where there is no filter."""
        return None if self._rules is None else self._apply

    def unmet(self) -> tuple[str, ...]:
        """
        Name the rules that met nothing.

        Where not one block came to be filtered, as when a sink has everything already, that
        says nothing of how they are spelt: then none is named.
        """
        return self._unmet.rules() if self._unmet is not None and self._has_filtered else ()

    def check(self) -> None:
        """
        Make sure that not all was held back by a slip of the pen.

        Raises:
            NothingPassedError: blocks were filtered, and none had a table that `--tables` names.
        """
        named = None if self._rules is None else self._rules.tables
        if named and {f"table {name}" for name in named} <= set(self.unmet()):
            raise NothingPassedError(tuple(sorted(named)))

    def _apply(self, block: Block) -> Block:
        assert self._rules is not None
        assert self._unmet is not None
        filtered = self._rules.apply(block)
        self._unmet.note(filtered)
        self._has_filtered = True
        return filtered


def _maybe_filter(
    *,
    filter_file: str | None,
    tables: tuple[str, ...],
    exclude_tables: tuple[str, ...],
    renames: tuple[str, ...],
    masks: tuple[str, ...],
    conditions: tuple[str, ...],
    salt_env: str | None,
) -> Filter | None:
    salt = _salt(salt_env)
    rules = {} if filter_file is None else _load(filter_file)
    _extend_lists(rules, {"tables": tables, "exclude_tables": exclude_tables})
    _extend(rules, "rename", (_split("--rename", "OLD=NEW", text, "=") for text in renames))
    _extend(rules, "where", (_split("--where", "TABLE: EXPR", text, ":") for text in conditions))
    for text in masks:
        table, path, method = _split_mask(text)
        _extend_mask(rules, table, path, method)
    return parse_filter(rules, salt=salt) if rules else None


def _salt(name: str | None) -> bytes | None:
    """Read the secret; neither it nor its length gets into a message."""
    if name is None:
        return None
    value = os.environ.get(name)
    if not value:
        raise click.UsageError(
            f"--salt-env: there is no environment variable {name}, or it is empty"
        )
    return os.fsencode(value)


def _load(path: str) -> dict[str, Any]:
    """
    Read a file of rules.

    Raises:
        UsageError: it cannot be read, or is no JSON or TOML of an object.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        rules = json.loads(text) if path.endswith(".json") else tomllib.loads(text)
    except (OSError, ValueError) as exc:
        raise UsageError(f"--filter {path}: {exc}") from exc
    if not isinstance(rules, dict):
        raise UsageError(f"--filter {path}: expected an object of rules")
    return rules


def _extend_lists(rules: dict[str, Any], given: Mapping[str, tuple[str, ...]]) -> None:
    for key, texts in given.items():
        names = [name.strip() for text in texts for name in text.split(",")]
        if names:
            rules[key] = [*_part(rules, key, list), *names]


def _extend(rules: dict[str, Any], key: str, pairs: Iterable[tuple[str, str]]) -> None:
    for name, value in pairs:
        found = _part(rules, key, dict)
        if name in found:
            raise click.UsageError(f"{key} of table {name} is given twice")
        rules[key] = {**found, name: value}


def _extend_mask(rules: dict[str, Any], table: str, path: str, method: str) -> None:
    masks = _part(rules, "mask", dict)
    fields = _part(masks, table, dict)
    if path in fields:
        raise click.UsageError(f"--mask: {table}.{path} is masked twice")
    rules["mask"] = {**masks, table: {**fields, path: method}}


def _part(rules: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    """Give what a file says of a key, so that options can add to it."""
    found = rules.get(key, kind())
    if not isinstance(found, kind):
        raise UsageError(f"--filter: {key} is no {'list' if kind is list else 'object or table'}")
    return found


def _split(option: str, form: str, text: str, separator: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found or not name.strip() or not value.strip():
        raise click.UsageError(f"{option} is {form}, not {text!r}")
    return name.strip(), value.strip()


def _split_mask(text: str) -> tuple[str, str, str]:
    """Take TABLE.PATH=HOW apart; an equals sign in double quotes belongs to a field's name."""
    table, dot, rest = text.partition(".")
    quoted = False
    for at, character in enumerate(rest):
        if character == '"':
            quoted = not quoted
        elif character == "=" and not quoted:
            return _mask_parts(text, table, dot, rest[:at], rest[at + 1 :])
    return _mask_parts(text, table, "", "", "")


def _mask_parts(text: str, table: str, *parts: str) -> tuple[str, str, str]:
    dot, path, method = parts
    if not (table and dot and path and method):
        raise click.UsageError(f"--mask is TABLE.PATH=hash, =drop or =text:TEXT, not {text!r}")
    return table, path, method
