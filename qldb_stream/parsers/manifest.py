"""
Manifests of journal exports: what an export set out to write, and what it wrote (facts 3.2).

The initial manifest says which ledger and which time range; the final one, written last, has
the keys of all data objects. Both come in Ion text, binary Ion or JSON, and JSON is read as
the Ion text that it is. What a key promises, its name says: strand, first and last block.

Rules: fields that the facts do not know are ignored, since nothing is hashed here; a key
is kept as it stands. Whoever has the objects elsewhere compares them by `own_name`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, TypeAlias

import attrs

from qldb_stream.errors import DecodeError, EnvelopeError, IonDecodeError
from qldb_stream.ion import (
    IVM,
    IonSlice,
    IonType,
    iter_elements,
    iter_slices,
    iter_text,
    read_struct,
    text_of,
    timestamp_of,
)
from qldb_stream.parsers.parts import MAX_NUMBER

__all__ = [
    "MAX_MANIFEST_BYTES",
    "CompletedManifest",
    "ExportedObject",
    "FoundManifest",
    "Manifest",
    "StartedManifest",
    "object_of",
    "own_name",
    "parse_manifest",
]

MAX_MANIFEST_BYTES: Final = 1 << 24
"""More than 100,000 keys; an object holds many blocks."""

_OBJECT: Final = re.compile(
    r"(?:^|[/\\])([A-Za-z0-9-]+)\.([0-9]{1,19})-([0-9]{1,19})\.[A-Za-z0-9]+(?:\.gz)?$"
)
_MANIFEST_NAME: Final = re.compile(
    r"(?:^|[/\\])?([A-Za-z0-9-]{22})(?:\.([A-Za-z0-9-]{22}))?\.(?:started|completed)\.manifest(?:\.gz)?$"
)


@attrs.frozen
class StartedManifest:
    """
    The initial manifest: what was asked for.

    `start` is inclusive, `end` exclusive, both aware; None where they are not there.
    `output_format` is ION_TEXT, ION_BINARY or JSON; None where the request left it out, which
    means ION_TEXT.
    """

    ledger_name: str
    export_id: str
    start: datetime | None = None
    end: datetime | None = None
    bucket: str = ""
    prefix: str = ""
    encryption: str = ""
    output_format: str | None = None


@attrs.frozen
class CompletedManifest:
    """The final manifest of one strand: the keys of all data objects, as it has them."""

    keys: tuple[str, ...]

    @property
    def objects(self) -> tuple[ExportedObject, ...]:
        """Say what each key promises."""
        return tuple([object_of(key) for key in self.keys])


Manifest: TypeAlias = StartedManifest | CompletedManifest


@attrs.frozen
class FoundManifest:
    """
    A manifest, and the name of the file or object that it was read from.

    `export_id` and `strand_id` are those in the name, as the service gives it; None where it
    was renamed. An initial manifest has its export's id inside as well.
    """

    name: str
    manifest: Manifest

    @property
    def export_id(self) -> str | None:
        """Give the export's id, 22 characters."""
        if isinstance(self.manifest, StartedManifest):
            return self.manifest.export_id
        match = _MANIFEST_NAME.search(self.name)
        return None if match is None else match[1]

    @property
    def strand_id(self) -> str | None:
        """Give the strand's id, 22 characters; only a final manifest has one."""
        match = _MANIFEST_NAME.search(self.name)
        return None if match is None else match[2]


@attrs.frozen
class ExportedObject:
    """
    A data object by its key, and the blocks that its name promises.

    `strand_id`, `first` and `last` (inclusive) are None where the name does not say.
    """

    key: str
    strand_id: str | None = None
    first: int | None = None
    last: int | None = None


def parse_manifest(data: bytes) -> Manifest:
    """
    Read a manifest.

    Args:
        data: Ion text, binary Ion or JSON; one struct.

    Raises:
        EnvelopeError: it is no manifest (facts 3.2), or a part is of another type.
        IonDecodeError: not sound Ion.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise IonDecodeError(0, f"a manifest is longer than {MAX_MANIFEST_BYTES} bytes")
    values = list(iter_slices(data) if data.startswith(IVM) else iter_text(data))
    if len(values) != 1 or values[0].ion_type is not IonType.STRUCT or values[0].is_null:
        raise EnvelopeError("manifest", "one struct", f"{len(values)} values")
    fields = read_struct(values[0])
    if "keys" in fields:
        return CompletedManifest(_keys(fields["keys"]))
    if not {"ledgerName", "exportId"} <= fields.keys():
        raise EnvelopeError("manifest", "keys, or ledgerName and exportId", "neither")
    return StartedManifest(
        _text(fields, "ledgerName") or "",
        _text(fields, "exportId") or "",
        _time(fields, "inclusiveStartTime"),
        _time(fields, "exclusiveEndTime"),
        _text(fields, "bucket") or "",
        _text(fields, "prefix") or "",
        _text(fields, "objectEncryptionType") or "",
        _text(fields, "outputFormat"),
    )


def object_of(name: str) -> ExportedObject:
    """Say what a data object promises, by its key or by the name of a file."""
    match = _OBJECT.search(name)
    if match is None:
        return ExportedObject(name)
    first, last = int(match[2]), int(match[3])
    if not first <= last <= MAX_NUMBER:
        return ExportedObject(name)
    return ExportedObject(name, match[1], first, last)


def own_name(key: str) -> str:
    """
    Give what a key and a copy of its object have in common, wherever that was copied to.

    Keys come with and without the export's prefix (facts 3.2). The last part, the object's own
    name, is enough: no two objects of a journal share it, unless they hold the same blocks.
    """
    return key.replace("\\", "/").rpartition("/")[2].removesuffix(".gz")


def _keys(value: IonSlice) -> tuple[str, ...]:
    try:
        return tuple([text_of(key) for key in iter_elements(value)])
    except DecodeError as exc:
        raise EnvelopeError("manifest.keys", "a list of strings", str(exc)) from exc


def _text(fields: dict[str, IonSlice], name: str) -> str | None:
    found = fields.get(name)
    if found is None or found.is_null:
        return None
    if found.ion_type is IonType.SYMBOL:
        return str(getattr(found.decode(), "text", None) or "")
    try:
        return text_of(found)
    except DecodeError as exc:
        raise EnvelopeError(f"manifest.{name}", "a string", found.ion_type.name.lower()) from exc


def _time(fields: dict[str, IonSlice], name: str) -> datetime | None:
    """Read a time: in JSON it is a string."""
    found = fields.get(name)
    if found is None or found.is_null:
        return None
    try:
        if found.ion_type is IonType.STRING:
            [found] = iter_text(text_of(found))
        return timestamp_of(found)
    except (DecodeError, ValueError) as exc:
        kind = found.ion_type.name.lower()
        raise EnvelopeError(f"manifest.{name}", "a timestamp", kind) from exc
