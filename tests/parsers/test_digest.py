"""Digests that were saved, in every form that owners have them in."""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import SavedDigestError
from qldb_stream.events import BlockAddress
from qldb_stream.parsers.digest import (
    MAX_SAVED_DIGEST_BYTES,
    SavedDigest,
    parse_address,
    parse_digest,
)

BASE64: Final = "6m6BMXobbJKpMhahwVthAEsN6awgnHK62Qq5McGP1Gk="
STRAND: Final = "KmA3ZZca7vAIiJAK9S5Iwl"
TIP: Final = BlockAddress(STRAND, 123)
TIP_TEXT: Final = f'{{strandId:"{STRAND}",sequenceNo:123}}'
EXPECTED: Final = SavedDigest(b64decode(BASE64), TIP)

CONSOLE: Final = json.dumps(
    {
        "digest": BASE64,
        "digestTipAddress": TIP_TEXT,
        "ledger": "vehicle-registration",
        "date": "2019-09-16T19:45:11.559Z",
    }
)
ANSWER: Final = json.dumps({"Digest": BASE64, "DigestTipAddress": {"IonText": TIP_TEXT}}, indent=2)


def test_the_answer_of_the_service_is_read(vectors: Path) -> None:
    """GetDigest's own answer, as the AWS CLI printed it, is a digest and its tip."""
    assert EXPECTED == parse_digest((vectors / "block-100" / "digest.json").read_bytes())


@pytest.mark.parametrize("text", [CONSOLE, ANSWER, f"{BASE64}@{STRAND}:123"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_all_forms_are_read_with_and_without_a_mark(text: str, encoding: str) -> None:
    """What console, service and people keep is read, whatever editor or shell wrote it."""
    assert EXPECTED == parse_digest(f"{text}\r\n".encode(encoding))


@pytest.mark.parametrize(
    "text",
    [
        f"{{digest:{{{{{BASE64}}}}}, digestTipAddress:{TIP_TEXT}}}",
        f"{{Digest:\"{BASE64}\", DigestTipAddress:{{IonText:'''{TIP_TEXT}'''}}}}",
    ],
)
def test_ion_text_is_read(text: str) -> None:
    """A digest in Ion text is read: blob or base64, the tip as a struct or as text."""
    assert EXPECTED == parse_digest(text.encode())


def test_base64_alone_has_no_tip() -> None:
    """Base64 alone says which digest it is, and not up to which block."""
    assert SavedDigest(EXPECTED.digest) == parse_digest(BASE64.encode())


@pytest.mark.parametrize("text", [f" {STRAND}:123 ", TIP_TEXT])
def test_addresses_are_read(text: str) -> None:
    """An address is read as STRAND:N and as Ion text."""
    assert TIP == parse_address(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"\xff",
        "Prüfsumme".encode(),
        b"AAAA",
        BASE64.replace("=", "").encode(),
        f"{BASE64}@{STRAND}".encode(),
        f"{BASE64}@{STRAND}:-1".encode(),
        f"{BASE64}@{STRAND}:01".encode(),
        f"{BASE64}@{{strandId:1,sequenceNo:1}}".encode(),
        f'{BASE64}@{{strandId:"short",sequenceNo:1}}'.encode(),
        f'{BASE64}@{{strandId:"{STRAND}",sequenceNo:-1}}'.encode(),
        b"{}",
        b"{digest:",
        b"{digest:1}",
        b"{} {}",
        f'{{digest:"{BASE64}",digest:"{BASE64}"}}'.encode(),
        f'{{digest:"{BASE64}",Digest:"{BASE64}"}}'.encode(),
        f'{{digest:"{BASE64}",digestTipAddress:1}}'.encode(),
        f'{{digest:"{BASE64}",digestTipAddress:{{IonText:1}}}}'.encode(),
        b"{digest:{{AAAA}}}",
        b" " * (MAX_SAVED_DIGEST_BYTES + 1),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """What is no digest is refused with an error that says which forms there are."""
    with pytest.raises(SavedDigestError, match="BASE64@STRAND:N"):
        parse_digest(data)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_bytes_are_a_digest_or_an_error(data: bytes) -> None:
    """Random bytes raise the error of this reader, and nothing else."""
    with suppress(SavedDigestError):
        parse_digest(data)


@given(st.data())
def test_a_damaged_form_is_a_digest_or_an_error(data: st.DataObject) -> None:
    """A form with bytes changed raises the error of this reader, and nothing else."""
    text = bytearray(data.draw(st.sampled_from([CONSOLE, ANSWER])).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with suppress(SavedDigestError):
        parse_digest(bytes(text))
