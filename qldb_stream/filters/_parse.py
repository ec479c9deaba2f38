"""A filter as a mapping, which is what JSON and TOML files hold, and as text options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from qldb_stream.errors import UsageError
from qldb_stream.filters._filter import Filter
from qldb_stream.filters._masks import Mask, MaskMethod, parse_path

_KEYS: Final = ("tables", "exclude_tables", "rename", "mask", "where")
_TEXT: Final = "text:"


def parse_filter(mapping: Mapping[str, Any], *, salt: bytes | None = None) -> Filter:
    """
    Make a filter of what a JSON or TOML file says.

    Args:
        mapping: `tables` and `exclude_tables` are lists of names; `rename` maps names to new
            ones; `mask` maps a table, or ``*``, to fields with ``hash``, ``drop`` or
            ``text:TEXT``, where a mapping in the place of these goes on with the path;
            `where` maps a table to an expression. All may be absent.
        salt: the key of masks that hash, which no file should hold.

    Raises:
        UsageError: another key or type, or rules that make no sense.
    """
    for key in mapping:
        if key not in _KEYS:
            raise UsageError(f"a filter has no {key!r}, only {', '.join(_KEYS)}")
    tables = mapping.get("tables")
    return Filter(
        None if tables is None else frozenset(_texts("tables", tables)),
        frozenset(_texts("exclude_tables", mapping.get("exclude_tables", []))),
        _text_mapping("rename", mapping.get("rename", {})),
        tuple(_iter_masks(mapping.get("mask", {}))),
        _text_mapping("where", mapping.get("where", {})),
        salt,
    )


def parse_mask(table: str, path: str, method: str) -> Mask:
    """
    Make a mask of its texts.

    Args:
        table: the source's name, or ``*``.
        path: see `parse_path`.
        method: ``hash``, ``drop`` or ``text:TEXT``.

    Raises:
        UsageError: a path or method that is none.
    """
    return Mask(table, parse_path(path), *_parse_method(method))


def _parse_method(text: str) -> tuple[MaskMethod, str]:
    if text.startswith(_TEXT):
        return MaskMethod.TEXT, text.removeprefix(_TEXT)
    if text in (MaskMethod.HASH.value, MaskMethod.DROP.value):
        return MaskMethod(text), ""
    raise UsageError(f"a field is masked by hash, drop or text:TEXT, not by {text!r}")


def _iter_masks(mask: Any) -> Iterator[Mask]:
    for table, fields in _mapping("mask", mask).items():
        for path, method in _iter_fields(f"mask.{table}", fields):
            yield Mask(table, path, *_parse_method(method))


def _iter_fields(where: str, fields: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield paths and methods; TOML makes mappings in mappings of dotted keys."""
    for name, found in _mapping(where, fields).items():
        path = parse_path(name)
        if isinstance(found, str):
            yield path, found
        else:
            for rest, method in _iter_fields(f"{where}.{name}", found):
                yield path + rest, method


def _texts(where: str, value: Any) -> list[str]:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(value)
    raise UsageError(f"{where} of a filter must be a list of texts")


def _text_mapping(where: str, value: Any) -> dict[str, str]:
    found = _mapping(where, value)
    if all(isinstance(item, str) for item in found.values()):
        return dict(found)
    raise UsageError(f"{where} of a filter must map texts to texts")


def _mapping(where: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return value
    raise UsageError(f"{where} of a filter must be an object or table of named values")
