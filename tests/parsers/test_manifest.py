"""Manifests of exports: what they say, and what their keys promise."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import EnvelopeError, IonDecodeError, QldbStreamError
from qldb_stream.ion import to_slice, to_text
from qldb_stream.parsers import manifest as room
from qldb_stream.parsers.manifest import (
    CompletedManifest,
    ExportedObject,
    FoundManifest,
    StartedManifest,
    object_of,
    own_name,
    parse_manifest,
)

STRAND = "6DHbaZVuGyLOTKHMP0fOoe"
EXPORT = "5YzAbCdEfGhIjKlMnOpQrS"
STARTED: dict[str, Any] = {
    "ledgerName": "cars",
    "exportId": EXPORT,
    "inclusiveStartTime": datetime(2019, 4, 15, 22, tzinfo=UTC),
    "exclusiveEndTime": datetime(2019, 4, 16, tzinfo=UTC),
    "bucket": "b",
    "prefix": "p/",
    "objectEncryptionType": "SSE_S3",
}


@pytest.mark.parametrize("binary", [False, True])
def test_the_initial_manifest(*, binary: bool) -> None:
    """What was asked for; the format only where the request gave it (facts 3.2)."""
    value = to_slice(STARTED)
    data = value.to_bytes() if binary else to_text(value).encode()
    start, end = STARTED["inclusiveStartTime"], STARTED["exclusiveEndTime"]
    expected = StartedManifest("cars", EXPORT, start, end, "b", "p/", "SSE_S3")
    assert expected == parse_manifest(data)


def test_the_initial_manifest_in_json() -> None:
    """Times are strings there; what is null is absent."""
    data = (
        b'{"ledgerName": "cars", "exportId": "x", "inclusiveStartTime": "2019-04-15T22:00:00Z",'
        b' "exclusiveEndTime": null, "outputFormat": "JSON"}'
    )
    start = STARTED["inclusiveStartTime"]
    expected = StartedManifest("cars", "x", start, output_format="JSON")
    assert expected == parse_manifest(data)


def test_a_symbol_is_a_text() -> None:
    """Names of choices may be symbols."""
    found = parse_manifest(b"{ledgerName:cars,exportId:'x',outputFormat:ION_TEXT}")
    assert StartedManifest("cars", "x", output_format="ION_TEXT") == found


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"{}", EnvelopeError("manifest", "keys, or ledgerName and exportId", "neither")),
        (b"1", EnvelopeError("manifest", "one struct", "1 values")),
        (b"null.struct", EnvelopeError("manifest", "one struct", "1 values")),
        (b"{keys:[]} {keys:[]}", EnvelopeError("manifest", "one struct", "2 values")),
        (b"{ledgerName:1,exportId:a}", EnvelopeError("manifest.ledgerName", "a string", "int")),
        (
            b'{ledgerName:a,exportId:a,inclusiveStartTime:"a b"}',
            EnvelopeError("manifest.inclusiveStartTime", "a timestamp", "string"),
        ),
        (
            b"{ledgerName:a,exportId:a,exclusiveEndTime:1}",
            EnvelopeError("manifest.exclusiveEndTime", "a timestamp", "int"),
        ),
    ],
)
def test_what_is_no_manifest(data: bytes, error: EnvelopeError) -> None:
    """It is told which part is not as it should be."""
    with pytest.raises(EnvelopeError) as caught:
        parse_manifest(data)
    assert error == caught.value


def test_a_manifest_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is too long is refused before it is read."""
    monkeypatch.setattr(room, "MAX_MANIFEST_BYTES", 10)
    with pytest.raises(IonDecodeError, match="longer than 10 bytes"):
        parse_manifest(b"{keys:[      ]}")


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_manifest_or_an_error(data: bytes) -> None:
    """Nothing else is raised, whatever stands in the place of a key or a time."""
    for text in (data, b'{keys:["' + data + b'"]}', b"{ledgerName:a,exportId:" + data + b"}"):
        try:
            parse_manifest(text)
        except QldbStreamError:
            continue


def test_a_name_promises_blocks() -> None:
    """Strand, first and last block stand in the name of a data object."""
    key = f"p/2019/04/15/22/{STRAND}.1-4.ion"
    assert (ExportedObject(key, STRAND, 1, 4),) == CompletedManifest((key,)).objects
    assert ExportedObject("a\\b.0-0.json.gz", "b", 0, 0) == object_of("a\\b.0-0.json.gz")
    for other in ("p/abc.4-1.ion", "abc", f"{STRAND}.1-99999999999999999999.ion", "a.1-2"):
        assert ExportedObject(other) == object_of(other)
    assert ExportedObject("a.0-9999999999999999999.ion") == object_of("a.0-9999999999999999999.ion")


def test_a_copy_has_the_name_of_its_key() -> None:
    """With or without prefix, wherever it was copied to, compressed or not."""
    names = ["2019/x.1-4.ion", "p/2019/x.1-4.ion", "x.1-4.ion.gz", "C:\\a\\x.1-4.ion"]
    assert {"x.1-4.ion"} == {own_name(name) for name in names}


def test_a_final_manifest_is_named_by_export_and_strand() -> None:
    """A renamed one says neither."""
    keys = CompletedManifest(())
    found = FoundManifest(f"/a/p{EXPORT}.{STRAND}.completed.manifest", keys)
    assert (EXPORT, STRAND) == (found.export_id, found.strand_id)
    found = FoundManifest(f"{EXPORT}.{STRAND}.completed.manifest.gz", keys)
    assert (EXPORT, STRAND) == (found.export_id, found.strand_id)
    assert None is FoundManifest("x", keys).export_id
    assert None is FoundManifest("x", keys).strand_id
