"""
Check a bundle of evidence that `qldb-stream prove` made: one revision of an Amazon QLDB journal.

    python3 -I -S verify.py BUNDLE --digest BASE64 [--tip STRAND:N] [--key PUBLIC] [--json]

BUNDLE is evidence.zip or the folder that it unpacks to. The digest, and the signer's key, must
come from where you trust them and never from the bundle: what is inside can be changed together.
All is recomputed from the Ion bytes of the revision and its block; nothing is taken from what the
bundle says about itself. This file needs Python 3.9 or later and nothing else, and reads no other
file. Exit codes: 0 proven, 1 refused, 2 it could not be asked that way.

Sources: Amazon Ion 1.0 binary and Ion Hash 1.0; RFC 8032 (Ed25519); for QLDB's tree of hashes the
AWS samples' verifier.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import math
import os
import re
import stat
import struct
import sys
import zlib
from datetime import datetime, timedelta
from typing import Any, Callable, Iterable, NamedTuple, Tuple

MAX_BYTES = 1 << 27  # a block holds 4 MB; this is room for all forms of many
MAX_FILES = 16
MAX_DEPTH = 256
MAX_VALUES = 1 << 22  # in a block: of one byte each, and no block has 4 MB of these
INDEX, SIGNATURE, PROOF = "SHA256SUMS", "SHA256SUMS.sig", "proof.json"
_BODIES = ("block.10n", "block.ion", "revision.10n", "revision.ion", "digest.saved")
FILES = frozenset((*_BODIES, "evidence.html", "report.json", "verify.py", INDEX, PROOF))


class RefusedError(Exception):
    """The bundle does not prove what it should; says why."""


class AskedWrongError(Exception):
    """What was given cannot be a bundle, a digest or a key."""


# --- Ion: binary to nodes ------------------------------------------------------------------


class Node(NamedTuple):
    """
    An Ion value: annotations, Ion Hash's type code, and its representation.

    `body` is what Ion Hash is fed for a scalar, a list of nodes, or a list of pairs of a field's
    name and a node. An unknown symbol is None.
    """

    annotations: tuple[str | None, ...]
    code: int
    body: Any


_MAX_UINT = 1 << 62
_MAX_COEFFICIENT = 1 << 12  # bytes of a decimal; longer ones take too long to write
_MAX_PLACES = 1000  # of a second
_SYSTEM = ("name", "version", "imports", "symbols", "max_id", "$ion_shared_symbol_table")
_SYMBOLS = [None, "$ion", "$ion_1_0", "$ion_symbol_table", *_SYSTEM]


class Symbols:
    """A symbol table, and bounds: what is looked up, and how many values are read with it."""

    def __init__(self, texts: list[str | None]) -> None:
        self.texts = texts
        self.left = MAX_BYTES
        self.values = MAX_VALUES

    def __getitem__(self, sid: int) -> str | None:
        text = self.texts[sid]
        self.left -= len(text or "") + 16
        if self.left < 0:
            raise RefusedError("the symbols of the Ion add up to too much")
        return text


def read_ion(data: bytes) -> Node:
    """Read a stream of one value, with at most one local symbol table before it."""
    if data[:4] != b"\xe0\x01\x00\xea":
        raise RefusedError("binary Ion does not begin with its version marker")
    try:
        node, pos = _read(data, 4, len(data), Symbols(_SYMBOLS), 0)
        if node is not None and node.annotations[:1] == ("$ion_symbol_table",):
            table = fields_of(node._replace(annotations=()), ("symbols",))
            names = items_of(table["symbols"])
            symbols = Symbols(_SYMBOLS + [text_of(one) for one in names])
            node, pos = _read(data, pos, len(data), symbols, 0)
    except (IndexError, KeyError, struct.error, UnicodeDecodeError) as exc:
        raise RefusedError("broken binary Ion") from exc
    if node is None or pos != len(data):
        raise RefusedError("a stream of Ion has one value")
    return node


def _uint(buf: bytes, pos: int) -> tuple[int, int]:
    value = 0
    while True:
        byte = buf[pos]
        pos, value = pos + 1, value << 7 | byte & 0x7F
        if byte & 0x80:
            return value, pos
        if value > _MAX_UINT:
            raise RefusedError("a number in the Ion is too long")


def _sint(buf: bytes, pos: int) -> tuple[int, bool, int]:
    """Read a VarInt: magnitude, whether it is negative, and where it ends."""
    value, after = _uint(buf, pos)
    sign = 1 << 7 * (after - pos) - 1
    return value & ~sign, bool(value & sign), after


def _write_uint(value: int) -> bytes:
    count = max(1, (value.bit_length() + 6) // 7)
    out = bytearray(value >> 7 * i & 0x7F for i in reversed(range(count)))
    out[-1] |= 0x80
    return bytes(out)


def _write_sint(value: int, minus: bool) -> bytes:
    count = value.bit_length() // 7 + 1  # one bit more, for the sign
    out = bytearray(value >> 7 * i & 0x7F for i in reversed(range(count)))
    out[0] |= 0x40 if minus else 0
    out[-1] |= 0x80
    return bytes(out)


def _read(buf: bytes, pos: int, end: int, symbols: Symbols, depth: int) -> tuple[Node | None, int]:
    """Read a value, or padding as None; say where it ends."""
    symbols.values -= 1
    if depth > MAX_DEPTH or symbols.values < 0:
        raise RefusedError(f"Ion nests beyond {MAX_DEPTH} levels, or has over {MAX_VALUES} values")
    kind, length = buf[pos] >> 4, buf[pos] & 15
    pos += 1
    if length == 15 and kind < 14:
        return Node((), 0x2F if kind == 3 else kind << 4 | 15, b""), pos
    if kind == 1 and length < 2:
        return Node((), 0x10 | length, b""), pos
    ordered = kind == 13 and length == 1
    if length == 14 or ordered:
        length, pos = _uint(buf, pos)
    stop = pos + length
    if stop > end or kind in (1, 15):
        raise RefusedError("broken binary Ion")
    if kind == 0:
        return None, stop
    if kind == 14:
        return _read_annotated(buf, pos, stop, symbols, depth), stop
    if kind in (11, 12):
        return Node((), kind << 4, _read_items(buf, pos, stop, symbols, depth)), stop
    if kind == 13:
        return Node((), 0xD0, _read_fields(buf, pos, stop, symbols, depth)), stop
    return _scalar(kind, buf[pos:stop], symbols), stop


def _read_annotated(buf: bytes, pos: int, stop: int, symbols: Symbols, depth: int) -> Node:
    length, pos = _uint(buf, pos)
    first, names = pos + length, []
    while pos < first:
        sid, pos = _uint(buf, pos)
        names.append(symbols[sid])
    node, pos = _read(buf, pos, stop, symbols, depth + 1)
    if node is None or not names or node.annotations or pos != stop:
        raise RefusedError("broken binary Ion")
    return Node(tuple(names), node.code, node.body)


def _read_items(buf: bytes, pos: int, stop: int, symbols: Symbols, depth: int) -> list[Node]:
    items = []
    while pos < stop:
        node, pos = _read(buf, pos, stop, symbols, depth + 1)
        if node is not None:
            items.append(node)
    return items


def _read_fields(
    buf: bytes, pos: int, stop: int, symbols: Symbols, depth: int
) -> list[tuple[str | None, Node]]:
    fields = []
    while pos < stop:
        sid, pos = _uint(buf, pos)
        node, pos = _read(buf, pos, stop, symbols, depth + 1)
        if node is not None:
            fields.append((symbols[sid], node))
    return fields


def _scalar(kind: int, body: bytes, symbols: Symbols) -> Node:
    """Make a scalar's representation as Ion Hash is fed it: equal values, equal bytes."""
    if kind in (2, 3):
        body = body.lstrip(b"\0")
        if kind == 3 and not body:
            raise RefusedError("an Ion int is minus zero")
    elif kind == 4:
        number = struct.unpack(">f" if len(body) == 4 else ">d", body)[0] if body else 0.0
        body = struct.pack(">d", math.nan if math.isnan(number) else number)
        body = b"" if body == bytes(8) else body
    elif kind == 5:
        body = _decimal_body(body)
    elif kind == 6:
        body = _timestamp_body(body)
    elif kind == 7:
        text = symbols[int.from_bytes(body, "big")]
        return Node((), 0x71, b"") if text is None else Node((), 0x70, text.encode())
    elif kind == 8:
        body.decode()
    return Node((), kind << 4, body)


def _coefficient(body: bytes) -> tuple[int, bool]:
    magnitude = int.from_bytes(body, "big")
    sign = 1 << 8 * len(body) - 1 if body else 0
    return magnitude & ~sign, bool(magnitude & sign)


def _write_coefficient(magnitude: int, minus: bool) -> bytes:
    if not magnitude:
        return b"\x80" if minus else b""
    out = bytearray(magnitude.to_bytes(magnitude.bit_length() // 8 + 1, "big"))
    out[0] |= 0x80 if minus else 0
    return bytes(out)


def _decimal_body(body: bytes) -> bytes:
    if not body:
        return b""
    exponent, below, pos = _sint(body, 0)
    if len(body) - pos > _MAX_COEFFICIENT:
        raise RefusedError("an Ion decimal is too long")
    coefficient = _write_coefficient(*_coefficient(body[pos:]))
    if not exponent and not coefficient:
        return b""
    return _write_sint(exponent, below and exponent > 0) + coefficient


def _timestamp_body(body: bytes) -> bytes:
    """Drop padding, the offset of less than a minute's precision, and a fraction of nothing."""
    if len(body) > _MAX_PLACES:
        raise RefusedError("an Ion timestamp is too long")
    offset, minus, pos = _sint(body, 0)
    parts: list[int] = []
    while pos < len(body) and len(parts) < 6:
        part, pos = _uint(body, pos)
        parts.append(part)
    if len(parts) in (0, 4):
        raise RefusedError("an Ion timestamp lacks a part")
    out = b"\xc0" if len(parts) < 4 else _write_sint(offset, minus)
    out += b"".join(map(_write_uint, parts))
    if pos < len(body):
        exponent, below, pos = _sint(body, pos)
        magnitude, minus = _coefficient(body[pos:])
        if exponent > _MAX_PLACES or (magnitude and (minus or not below)):
            raise RefusedError("an Ion timestamp's fraction of a second cannot be")
        if magnitude or (below and exponent):
            out += _write_sint(exponent, below) + _write_coefficient(magnitude, False)
    return out


# --- Ion: what is in a node, its text, and its hash ----------------------------------------


def text_of(node: Node) -> str:
    """Give a string's text."""
    if node.code != 0x80 or node.annotations:
        raise RefusedError("a string is expected in the Ion, another value stands there")
    return str(node.body, "utf-8")


def int_of(node: Node) -> int:
    """Give an int that is not negative."""
    if node.code != 0x20 or node.annotations:
        raise RefusedError("an int from 0 is expected in the Ion, another value stands there")
    return int.from_bytes(node.body, "big")


def blob_of(node: Node | None) -> bytes:
    """Give a blob of 32 bytes, or none at all."""
    if node is None or node.code != 0xA0 or node.annotations or len(node.body) not in (0, 32):
        raise RefusedError("a hash of 32 bytes is expected in the Ion, another value stands there")
    return bytes(node.body)


def items_of(node: Node) -> list[Node]:
    """Give a list's values."""
    if node.code != 0xB0 or node.annotations:
        raise RefusedError("a list is expected in the Ion, another value stands there")
    return list(node.body)


def fields_of(node: Node, known: tuple[str, ...] = ()) -> dict[str | None, Node]:
    """Give a struct's fields; each once, and none but the known ones where these are given."""
    found = dict(node.body) if node.code == 0xD0 else {}
    is_odd = known and not found.keys() <= {*known}
    if node.code != 0xD0 or node.annotations or is_odd or len(found) != len(node.body):
        raise RefusedError(
            "a struct of known fields is expected in the Ion, another value is there"
        )
    return found


_PLAIN = re.compile(r"(?!(?:null|true|false|nan)\Z|\$[0-9]|\$ion_)[A-Za-z_$][A-Za-z0-9_$]*")
_TYPES = ("null", "bool", "int", "int", "float", "decimal", "timestamp", "symbol", "string", "clob")
_CONTAINERS = {10: "blob", 11: "list", 12: "sexp", 13: "struct"}


def ion_text(node: Node) -> str:
    """Write a node as Ion text on one line; equal nodes give equal text."""
    return "".join(f"{_symbol_text(name)}::" for name in node.annotations) + _bare_text(node)


def _bare_text(node: Node) -> str:
    kind, body = node.code >> 4, node.body
    if node.code & 15 == 15:
        return f"null.{_CONTAINERS.get(kind) or _TYPES[kind]}" if kind else "null"
    if kind in (1, 4, 8):
        return _simple_text(node)
    if kind in (2, 3):  # Python itself refuses to write long ints but in hexadecimal
        digits = str if len(body) <= 1024 else hex
        return "-" * (kind == 3) + digits(int.from_bytes(body, "big"))
    if kind == 5:
        return _decimal_text(body)
    if kind == 6:
        return _time_text(body)
    if kind == 7:
        return "$0" if node.code & 1 else _symbol_text(str(body, "utf-8"))
    if kind == 9:
        plain = (chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in body)
        return '{{"' + "".join(plain) + '"}}'
    if kind == 10:
        return "{{" + base64.b64encode(body).decode() + "}}"
    if kind == 13:
        return "{" + ",".join(f"{_symbol_text(name)}:{ion_text(one)}" for name, one in body) + "}"
    parts = [ion_text(one) for one in body]
    return "[" + ",".join(parts) + "]" if kind == 11 else "(" + " ".join(parts) + ")"


def _simple_text(node: Node) -> str:
    if node.code >> 4 == 1:
        return "true" if node.code & 1 else "false"
    if node.code >> 4 == 8:
        return json.dumps(str(node.body, "utf-8"), ensure_ascii=False)
    number = struct.unpack(">d", node.body or bytes(8))[0]
    if not math.isfinite(number):
        return "nan" if math.isnan(number) else f"{number:+}"
    return repr(number) if "e" in repr(number) else repr(number) + "e0"


def _symbol_text(text: str | None) -> str:
    if text is None:
        return "$0"
    if _PLAIN.fullmatch(text):
        return text
    inner = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')
    return "'" + inner.replace("'", "\\'") + "'"


def _digits(number: int) -> str:
    """Write the int of a coefficient; Python itself refuses long ones."""
    if number.bit_length() < 8192:
        return str(number)
    places = number.bit_length() * 3 // 20  # about half of them
    high, low = divmod(number, 10**places)
    return _digits(high) + _digits(low).rjust(places, "0")


def _decimal_text(body: bytes) -> str:
    exponent, below, pos = _sint(body, 0) if body else (0, False, 0)
    magnitude, negative = _coefficient(body[pos:])
    minus, digits = "-" * negative, _digits(magnitude)
    if not exponent:
        return f"{minus}{digits}."
    if below and exponent <= 20:
        digits = digits.rjust(exponent + 1, "0")
        return f"{minus}{digits[:-exponent]}.{digits[-exponent:]}"
    return f"{minus}{digits}d{'-' * below}{exponent}"


def _time_text(body: bytes) -> str:
    offset, minus, pos = _sint(body, 0)
    parts: list[int] = []
    while pos < len(body) and len(parts) < 6:
        part, pos = _uint(body, pos)
        parts.append(part)
    try:
        whole = [*parts, 1, 1][: max(3, len(parts))]
        moment = datetime(*whole)  # type: ignore[arg-type]  # noqa: DTZ001 - UTC, as in Ion
        moment += timedelta(minutes=-offset if minus else offset)
    except (ValueError, OverflowError) as exc:
        raise RefusedError("an Ion timestamp names a time that does not exist") from exc
    if len(parts) < 4:
        return moment.isoformat()[: (4, 7, 10)[len(parts) - 1]] + "T" * (len(parts) < 3)
    text = moment.isoformat()[: 16 if len(parts) == 5 else 19]
    if pos < len(body):
        exponent, _below, pos = _sint(body, pos)
        digits = _digits(_coefficient(body[pos:])[0]).rjust(exponent, "0")
        if len(digits) != exponent:
            raise RefusedError("an Ion timestamp's fraction of a second cannot be")
        text += "." + digits
    if not offset:
        return text + ("-00:00" if minus else "Z")
    return f"{text}{'-' if minus else '+'}{offset // 60:02}:{offset % 60:02}"


def _escape(data: bytes) -> bytes:
    return (
        data.replace(b"\x0c", b"\x0c\x0c")
        .replace(b"\x0b", b"\x0c\x0b")
        .replace(b"\x0e", b"\x0c\x0e")
    )


def sha256(data: bytes) -> bytes:
    """Hash with SHA-256."""
    return hashlib.sha256(data).digest()


def _symbol_hashed(text: str | None) -> bytes:
    return b"\x0b\x71\x0e" if text is None else b"\x0b\x70" + _escape(text.encode()) + b"\x0e"


def serialize(node: Node, digest: Callable[[bytes], bytes] = sha256) -> bytes:
    """Give what Ion Hash feeds to its hasher for a node; `digest` hashes the fields of structs."""
    body = node.body
    if node.code == 0xD0:
        fields = [digest(_symbol_hashed(name) + serialize(one, digest)) for name, one in body]
        body = _escape(b"".join(sorted(fields)))
    elif node.code in (0xB0, 0xC0):
        body = b"".join([serialize(one, digest) for one in body])
    else:
        body = _escape(body)
    whole = b"\x0b" + bytes((node.code,)) + body + b"\x0e"
    if not node.annotations:
        return whole
    return b"\x0b\xe0" + b"".join(map(_symbol_hashed, node.annotations)) + whole + b"\x0e"


def ion_hash(node: Node) -> bytes:
    """Give the Ion Hash of a node, 32 bytes."""
    return sha256(serialize(node))


# --- QLDB's tree of hashes -----------------------------------------------------------------


def dot(a: bytes, b: bytes) -> bytes:
    """Join two hashes as QLDB does: sorted by signed bytes from the last; empty is neutral."""
    if not a or not b:
        return a or b
    first, second = sorted((a, b), key=lambda one: [(byte ^ 0x80) for byte in reversed(one)])
    return sha256(first + second)


def merkle(leaves: list[bytes], index: int = 0) -> tuple[bytes, list[bytes]]:
    """Give the root over leaves, and the siblings that lead to it from one of them."""
    path = []
    while len(leaves) > 1:
        if index ^ 1 < len(leaves):
            path.append(leaves[index ^ 1])
        pairs = [leaves[i : i + 2] for i in range(0, len(leaves), 2)]
        leaves, index = [dot(*pair) if len(pair) > 1 else pair[0] for pair in pairs], index // 2
    return leaves[0] if leaves else b"", path


def fold(leaf: bytes, path: list[bytes]) -> bytes:
    """Give the root that a leaf and its path lead to."""
    for sibling in path:
        leaf = dot(leaf, sibling)
    return leaf


def path_length(index: int, size: int) -> int:
    """Count the siblings of a leaf in a tree of a size; a promoted node has none on its level."""
    levels = range((size - 1).bit_length())
    return sum((index >> level ^ 1) << level < size for level in levels)


# --- the bundle's container ----------------------------------------------------------------


def pack(files: dict[str, bytes]) -> bytes:
    """Write files as the one zip that they have: stored, sorted by name, without a time."""
    out, central = bytearray(), bytearray()
    for name in sorted(files):
        data, raw = files[name], name.encode()
        common = (20, 0, 0, 0, 0x21, zlib.crc32(data), len(data), len(data), len(raw), 0)
        central += struct.pack("<IH5H3L2H", 0x02014B50, 0x0314, *common)
        central += struct.pack("<3H2L", 0, 0, 0, 0o100644 << 16, len(out)) + raw
        out += struct.pack("<I5H3L2H", 0x04034B50, *common) + raw + data
    end = (0x06054B50, 0, 0, len(files), len(files), len(central), len(out), 0)
    return bytes(out + central + struct.pack("<I4H2LH", *end))


def unpack(data: bytes) -> dict[str, bytes]:
    """Read a zip that `pack` wrote; whatever differs from that by a byte is refused."""
    files: dict[str, bytes] = {}
    pos = 0
    while data[pos : pos + 4] == b"PK\3\4" and len(files) < MAX_FILES:
        head = data[pos + 18 : pos + 30]
        if len(head) < 12:
            break
        size, _same, length, _extra = struct.unpack("<2L2H", head)
        name = data[pos + 30 : pos + 30 + length].decode("latin-1")
        files[name] = data[pos + 30 + length : pos + 30 + length + size]
        pos += 30 + length + size
    _check_names(files)
    if pack(files) != data:
        raise RefusedError(
            "the zip is not as it was written, byte by byte; if it was only packed anew, unpack it "
            "and give the folder"
        )
    return files


def open_bundle(path: str) -> dict[str, bytes]:
    """Read a zip or a folder, at most MAX_BYTES of it; give the bytes of each file by name."""
    try:
        if not os.path.isdir(path):
            return unpack(_read_file(os.path.realpath(path), MAX_BYTES))
        names = os.listdir(path)
        if len(names) > MAX_FILES:
            raise RefusedError(f"the folder has {len(names)} names, a bundle at most {MAX_FILES}")
        _check_names(names)
        files: dict[str, bytes] = {}
        for name in names:
            left = MAX_BYTES - sum(map(len, files.values()))
            files[name] = _read_file(os.path.join(path, name), left)
    except OSError as exc:
        raise AskedWrongError(f"cannot read {path!a}: {exc.strerror}") from exc
    return files


def _read_file(path: str, most: int) -> bytes:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError(f"{path!a} is no plain file")
    with open(path, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise RefusedError(f"{path!a} is too long: a bundle has at most {MAX_BYTES} bytes")
    return data


def _check_names(names: Iterable[str]) -> None:
    found = set(names) - {SIGNATURE}
    if found != FILES:
        odd = ", ".join(sorted(map(ascii, found - FILES)))
        lack = ", ".join(sorted(FILES - found))
        raise RefusedError(
            "; ".join(
                filter(None, (lack and f"it lacks {lack}", odd and f"it should not have {odd}"))
            )
        )


def index_of(files: dict[str, bytes]) -> bytes:
    """List the SHA-256 of each file but index and signature, as sha256sum writes it."""
    names = sorted(files.keys() - {INDEX, SIGNATURE})
    return "".join(f"{sha256(files[name]).hex()}  {name}\n" for name in names).encode()


# --- Ed25519 (RFC 8032, strict) ------------------------------------------------------------

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
Point = Tuple[int, int, int, int]
_ZERO: Point = (0, 1, 1, 0)


def _add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(number: int, point: Point) -> Point:
    total = _ZERO
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


def _decompress(raw: bytes) -> Point | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT % _P
    if y >= _P or x * x % _P != square or (not x and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _compress(point: Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _decompress((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a signature is valid: S below the order, no key of small order, no other form."""
    key = _decompress(public) if len(public) == 32 and len(signature) == 64 else None
    s = int.from_bytes(signature[32:], "little")
    if key is None or s >= _ORDER or _compress(_times(8, key)) == _compress(_ZERO):
        return False
    hashed = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(hashed, "little") % _ORDER
    minus = (_P - key[0], key[1], 1, _P - key[3])
    assert _BASE is not None
    return _compress(_add(_times(s, _BASE), _times(k, minus))) == signature[:32]


# --- what a bundle proves ------------------------------------------------------------------

_DELETED = (sha256(b"\x0b\x0f\x0e"), sha256(b"\x0b\xdf\x0e"))  # null and null.struct, for no data
_ADDRESS = ("strandId", "sequenceNo")
_REVISION = ("blockAddress", "hash", "data", "dataHash", "metadata")
_METADATA = {"id": 0x80, "version": 0x20, "txTime": 0x60, "txId": 0x80}
_BLOCK_NEEDS = "blockAddress transactionId blockTimestamp blockHash entriesHash previousBlockHash"
_BLOCK_NEEDS += " entriesHashList"
_BLOCK = (*_BLOCK_NEEDS.split(), "transactionInfo", "redactionInfo", "revisions")
_CLAIMS = "block_path digest document_id revision_path sequence_no strand_id"
_CLAIMS += " tip_sequence_no tip_strand_id version revision_version"


class Block(NamedTuple):
    """A block whose hashes are right: what it says, and the trees in it."""

    fields: dict[str | None, Node]
    block_hash: bytes
    leaves: list[bytes]
    entries: list[bytes]


def reads_as_metadata(node: Node) -> bool:
    """Say whether a node is a struct of just the fields that metadata have."""
    try:
        fields = fields_of(node, tuple(_METADATA))
    except RefusedError:
        return False
    codes = {name: one.code for name, one in fields.items() if not one.annotations}
    return codes == _METADATA


def check_revision(node: Node) -> tuple[bytes, str]:
    """
    Recompute a revision's hash; give it, and what is known of the document.

    By the hash alone nobody can tell a delete, of which nothing but metadata is hashed, from one
    half of another revision whose other half stands beside it as a leaf: that is "metadata".
    """
    fields = fields_of(node, _REVISION)
    stated = blob_of(fields.get("hash"))
    if fields.keys() == {"hash"} and stated:
        return stated, "hash only"
    if not {"metadata", "blockAddress"} <= fields.keys():
        raise RefusedError("a revision lacks metadata or blockAddress")
    kind = "deleted"
    candidates: tuple[bytes, ...] = _DELETED
    if "dataHash" in fields:
        kind, candidates = "redacted", (blob_of(fields["dataHash"]),)
    if "data" in fields:
        hashed = ion_hash(fields["data"])
        if kind == "redacted" and candidates != (hashed,):
            raise RefusedError("a revision's dataHash is not that of its data")
        kind, candidates = "document", (hashed,)
    metadata = ion_hash(fields["metadata"])
    if not reads_as_metadata(fields["metadata"]):
        raise RefusedError("a revision's metadata are not id, version, txTime and txId")
    if kind == "deleted" and metadata == stated:
        return stated, "metadata"
    if kind == "redacted" and candidates == (b"",):
        raise RefusedError("a redacted revision lacks the hash of its data")
    if all(dot(metadata, one) != stated for one in candidates):
        raise RefusedError("a revision's hash is not that of its metadata and data")
    return stated, kind


def check_block(node: Node) -> Block:
    """Recompute every hash of a block."""
    fields = fields_of(node, _BLOCK)
    if not {*_BLOCK_NEEDS.split()} <= fields.keys():
        raise RefusedError("the block lacks a field")
    revisions = items_of(fields["revisions"]) if "revisions" in fields else []
    leaves = [check_revision(one)[0] for one in revisions]
    entries = [blob_of(one) for one in items_of(fields["entriesHashList"])]
    parts = {"revisions": merkle(leaves)[0]} if leaves else {}
    parts.update(
        {n: ion_hash(fields[n]) for n in ("transactionInfo", "redactionInfo") if n in fields}
    )
    free = list(entries)
    for name, part in parts.items():
        if part not in free:
            raise RefusedError(f"the hash of the block's {name} is not among its entries")
        free.remove(part)
    root, previous = blob_of(fields["entriesHash"]), blob_of(fields["previousBlockHash"])
    if b"" in entries or not root or merkle(entries)[0] != root:
        raise RefusedError("the block's entriesHash is not that of its entries")
    if dot(root, previous) != blob_of(fields["blockHash"]):
        raise RefusedError("the block's hash is not that of its parts")
    return Block(fields, dot(root, previous), leaves, entries)


def revision_path(block: Block, index: int) -> list[bytes]:
    """Give the siblings that lead from a revision's hash to its block's."""
    root, path = merkle(block.leaves, index)
    path += merkle(block.entries, block.entries.index(root))[1]
    previous = blob_of(block.fields["previousBlockHash"])
    return [*path, previous] if previous else path


def canonical(value: Any) -> bytes:
    """Write JSON in the one form that a bundle has it in."""
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def read_claims(data: bytes) -> dict[str, Any]:
    """Read proof.json: the paths, and what they are of."""
    try:
        claims: Any = json.loads(data) if len(data) < 1 << 16 else None
        paths = [
            [base64.b64decode(one, validate=True) for one in claims[name]]
            for name in ("revision_path", "block_path")
        ]
        hashes = [base64.b64decode(claims["digest"], validate=True), *paths[0], *paths[1]]
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise RefusedError(f"{PROOF} is no proof") from exc
    names = ("version", "sequence_no", "tip_sequence_no", "revision_version")
    numbers = [claims.get(name) for name in names]
    if (
        set(claims) != {*_CLAIMS.split()}
        or claims["version"] != 1
        or canonical(claims) != data
        or any(len(one) != 32 for one in hashes)
    ):
        raise RefusedError(f"{PROOF} is no proof as it was written")
    if any(type(number) is not int or not 0 <= number < 1 << 62 for number in numbers):
        raise RefusedError(f"{PROOF} has a number that cannot be")
    return {**claims, "revision_path": paths[0], "block_path": paths[1]}


def check_bundle(
    files: dict[str, bytes], digest: bytes, key: bytes | None = None, tip: str | None = None
) -> dict[str, Any]:
    """
    Check all of a bundle against a digest, its tip and a key, that came from outside.

    Returns:
        What is proven, as `--json` prints it.

    Raises:
        RefusedError: it does not prove it; the first reason.
    """
    _check_names(files)
    if files[INDEX] != index_of(files):
        raise RefusedError(f"a file was changed: {INDEX} has another SHA-256 for {_changed(files)}")
    signer = _check_signature(files, key)
    nodes = {}
    for name in ("revision", "block"):
        nodes[name] = read_ion(files[f"{name}.10n"])
        if (ion_text(nodes[name]) + "\n").encode() != files[f"{name}.ion"]:
            raise RefusedError(f"{name}.ion says something else than {name}.10n")
    claims = read_claims(files[PROOF])
    stated, _kind = check_revision(nodes["revision"])
    block = check_block(nodes["block"])
    if tip not in (None, f"{claims['tip_strand_id']}:{claims['tip_sequence_no']}"):
        raise RefusedError("the bundle is for another tip than the one given")
    what = _check_place(nodes["revision"], block, claims)
    _check_paths(stated, block, claims, digest, what.pop("index"))
    state, proves_not = judge(nodes["revision"], block)
    told = {"state": state, "signer": signer, "proves": PROVES[state], "proves_not": proves_not}
    return {"ok": True, "version": 1, **what, **told}


def judge(revision: Node, block: Block) -> tuple[str, tuple[str, ...]]:
    """
    Say what a revision is by its hash and its block's statements; and what stays unproven.

    Its hash joins two, in any order, and as trees do. So the halves of a revision may change
    places, or stand beside each other as leaves. What can be told apart by the statements, whose
    hash is in the block, is told so.
    """
    fields = fields_of(revision)
    kind = check_revision(revision)[1]
    if kind == "document" and reads_as_metadata(fields["data"]):
        raise RefusedError("a document with the very fields of metadata cannot be told from them")
    if "transactionInfo" in block.fields:
        texts = _statements(block, text_of(fields_of(fields["metadata"])["id"]))
        if kind == "metadata" and not any(map(deletes_documents, texts)):
            raise RefusedError("the revision has no data, and none of its statements deletes")
        return "deleted" if kind == "metadata" else kind, PROVES_NOT
    return kind, PROVES_NOT if kind == "document" else (*PROVES_NOT, UNNAMED)


def _statements(block: Block, document_id: str) -> list[str]:
    """Give the statements that changed a document; transactionInfo has to name it."""
    try:
        info = fields_of(block.fields["transactionInfo"])
        indexes = fields_of(fields_of(info["documents"])[document_id])["statements"]
        statements = items_of(info["statements"])
        found = [fields_of(statements[int_of(one)])["statement"] for one in items_of(indexes)]
    except (KeyError, IndexError) as exc:
        raise RefusedError("the block's transactionInfo does not name the document") from exc
    return [text_of(one) for one in found]


_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?(?:\*/|\Z)"""
    r"""|([A-Za-z_$][A-Za-z0-9_$]*|"[^"]*"?|'[^']*'?|`[^`]*`?|.)""",
    re.DOTALL,
)
_NO_ALIAS = ("AS", "BY", "WHERE", "SET", "INSERT", "REMOVE", ",", ";")


def deletes_documents(text: str) -> bool:
    """Say of a statement that it deletes whole documents, by DELETE or by REMOVE of its table."""
    raw = [token for token in _TOKEN.findall(text) if token]
    if not raw or raw[0].upper() not in ("FROM", "UPDATE"):
        return bool(raw) and raw[0].upper() == "DELETE"
    tokens = [token.strip('"').upper() for token in raw if token not in "()"]
    _, table, third, fourth = (*tokens[:4], "", "", "")[:4]
    name = fourth if third == "AS" else table if third in ("", *_NO_ALIAS) else third
    return any(
        tokens[at - 1] != "."
        and tokens[at + 1 : at + 2] == [name]
        and tokens[at + 2 : at + 3] not in (["."], ["["])
        for at, token in enumerate(tokens)
        if token == "REMOVE"
    )


def _changed(files: dict[str, bytes]) -> str:
    listed, found = files[INDEX].splitlines(), index_of(files).splitlines()
    names = [line.split()[-1].decode() for line in found if line not in listed]
    return ", ".join(names) or "something in the index itself"


def _check_signature(files: dict[str, bytes], key: bytes | None) -> dict[str, Any] | None:
    """Check a signature that is there; a key from outside asks for one by that key."""
    if SIGNATURE not in files:
        if key is not None:
            raise RefusedError("the bundle is not signed, and a key was given")
        return None
    raw = files[SIGNATURE]
    try:
        public, signature = (base64.b64decode(part, validate=True) for part in raw.split()[1:])
    except ValueError as exc:
        raise RefusedError(f"{SIGNATURE} is no signature") from exc
    is_valid = ed25519_verifies(public, files[INDEX], signature)
    if write_signature(public, signature) != raw or not is_valid:
        raise RefusedError("the signature is not one of this bundle")
    if key is not None and key != public:
        raise RefusedError("the bundle is signed by another key than the one given")
    return {"public_key": base64.b64encode(public).decode(), "is_yours": key is not None}


def write_signature(public: bytes, signature: bytes) -> bytes:
    """Write the file of a signature: the algorithm's name, the key and the signature in base64."""
    return b"ed25519 %s %s\n" % (base64.b64encode(public), base64.b64encode(signature))


def _check_place(revision: Node, block: Block, claims: dict[str, Any]) -> dict[str, Any]:
    """Find the revision in its block; give what both say of it, hashed or repeated."""
    fields = fields_of(revision)
    if "metadata" not in fields:
        raise RefusedError("the revision lacks its metadata")
    revisions = items_of(block.fields["revisions"]) if block.leaves else []
    wanted = ion_hash(revision)
    same = [ion_hash(one) == wanted for one in revisions]
    if same.count(True) != 1:
        raise RefusedError("the revision does not stand in the block")
    address = fields_of(block.fields["blockAddress"], _ADDRESS)
    if ion_hash(fields["blockAddress"]) != ion_hash(block.fields["blockAddress"]):
        raise RefusedError("revision and block say different addresses")
    metadata = fields_of(fields["metadata"])
    try:
        said = (
            text_of(metadata["id"]),
            int_of(metadata["version"]),
            text_of(address["strandId"]),
            int_of(address["sequenceNo"]),
            text_of(address["strandId"]),
        )
        times = {
            "transaction_time": ion_text(metadata["txTime"]),
            "transaction_id": text_of(metadata["txId"]),
        }
    except KeyError as exc:
        raise RefusedError("metadata or address lack a field") from exc
    names = ("document_id", "revision_version", "strand_id", "sequence_no", "tip_strand_id")
    if said != tuple(claims[name] for name in names):
        raise RefusedError(f"{PROOF} is of another revision than the one in the bundle")
    if times["transaction_id"] != text_of(block.fields["transactionId"]):
        raise RefusedError("revision and block say different transactions")
    known = {name: claims[name] for name in (*names, "tip_sequence_no")}
    return {**known, **times, "table": _table(block, said[0]), "index": same.index(True)}


def _table(block: Block, document_id: str) -> str | None:
    """Give the table's name as the block's hashed transactionInfo has it, if it is there."""
    try:
        documents = fields_of(fields_of(block.fields["transactionInfo"])["documents"])
        return text_of(fields_of(documents[document_id])["tableName"])
    except (KeyError, RefusedError):
        return None


def _check_paths(
    stated: bytes, block: Block, claims: dict[str, Any], digest: bytes, index: int
) -> None:
    path, number, tip = claims["block_path"], claims["sequence_no"], claims["tip_sequence_no"]
    if (
        claims["revision_path"] != revision_path(block, index)
        or fold(stated, claims["revision_path"]) != block.block_hash
    ):
        raise RefusedError("the path from the revision does not lead to its block")
    if number > tip or len(path) != path_length(number, tip + 1):
        raise RefusedError(
            "the path from the block has another length than its number and the tip say"
        )
    if fold(block.block_hash, path) != digest:
        raise RefusedError(
            "the path does not lead to the digest given: another digest, or another ledger"
        )
    if base64.b64decode(claims["digest"]) != digest:
        raise RefusedError(f"{PROOF} names another digest")


# --- the command ---------------------------------------------------------------------------

_IN_JOURNAL = (
    "the revision stands in this block, and the block in the journal up to the digest's tip"
)
_HASH_ONLY = (
    "the metadata are those that the journal had for this digest, and the document, which is"
)
_HASH_ONLY += " not here (redacted, or taken out since), had this hash"
_METADATA_ONLY = "the metadata are those that the journal had for this digest; whether the document"
_METADATA_ONLY += " was deleted or taken out is not shown: the block's statements are not here"
PROVES = {
    "document": (
        "document and metadata are, value by value, those that the journal had for this digest",
        _IN_JOURNAL,
    ),
    "deleted": ("this revision, with this metadata, deleted the document", _IN_JOURNAL),
    "metadata": (_METADATA_ONLY, _IN_JOURNAL),
    "redacted": (_HASH_ONLY, _IN_JOURNAL),
}
PROVES_NOT = (
    "that the digest is the ledger's: that rests on where you have it from",
    "block address, block time and the order in which the block lists things: no hash covers them",
    "the tip's number, but for the length of the path: give --tip with the digest to compare it",
    "that no later revision exists, unless the tip is the ledger's last block and you know so",
    "what evidence.html, report.json and digest.saved say: the index and a signature cover them",
)
UNNAMED = (
    "that the metadata are no document with the very fields of metadata, which somebody stored: "
    "the block's statements, which name the documents, are not here"
)
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")
_DER = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: an Ed25519 key, and 32 bytes follow


def read_key(given: str) -> bytes:
    """Read a public key: base64 of its 32 bytes or of its DER, or the path of a PEM file."""
    if os.path.isfile(given):
        try:
            with open(given, encoding="utf-8", errors="replace") as file:
                match = _PEM.fullmatch(file.read(1 << 16))
        except OSError as exc:
            raise AskedWrongError(f"cannot read the key {given!a}: {exc.strerror}") from exc
        given = "" if match is None else "".join(match[1].split())
    key = _read_base64(given, "a public Ed25519 key")
    key = key.removeprefix(_DER)
    if len(key) != 32:
        raise AskedWrongError("a public Ed25519 key has 32 bytes")
    return key


def _read_base64(given: str, what: str) -> bytes:
    try:
        return base64.b64decode(given.strip(), validate=True)
    except (ValueError, binascii.Error) as exc:
        raise AskedWrongError(f"expected {what} in base64") from exc


def main(arguments: list[str] | None = None) -> int:
    """Check what a command line names, say what came of it, and give the exit code."""
    parser = argparse.ArgumentParser(prog="verify.py", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("bundle", help="evidence.zip, or the folder that it unpacks to")
    parser.add_argument("--digest", required=True, help="base64, from where you trust it")
    parser.add_argument("--tip", help="STRAND:N, the block up to which the digest goes")
    parser.add_argument("--key", help="the signer's public key, base64 or a PEM file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    try:
        digest = _read_base64(given.digest, "a digest of 32 bytes")
        if len(digest) != 32:
            raise AskedWrongError("a digest has 32 bytes")
        key = None if given.key is None else read_key(given.key)
        answer, code = check_bundle(open_bundle(given.bundle), digest, key, given.tip), 0
    except AskedWrongError as exc:
        answer, code = {"ok": False, "version": 1, "error": str(exc)}, 2
    except (RefusedError, RecursionError) as exc:
        answer, code = {"ok": False, "version": 1, "error": str(exc) or "nested too deeply"}, 1
    print(json.dumps(answer, indent=2) if given.json else _say(answer))
    return code


def _say(answer: dict[str, Any]) -> str:
    if not answer["ok"]:
        return f"REFUSED: {answer['error']}"
    apart = ("ok", "version", "signer", "proves", "proves_not")
    names = [name for name in answer if name not in apart]
    lines = ["PROVEN against the digest given", ""]
    lines += [f"  {name.replace('_', ' '):18} {json.dumps(answer[name])}" for name in names]
    signer = answer["signer"]
    if signer is None:
        lines.append("  signature          none")
    else:
        trust = "the key given" if signer["is_yours"] else "a key that was not compared: give --key"
        lines.append(f"  signature          valid, by {signer['public_key']}, {trust}")
    for title, name in (("It proves that", "proves"), ("It does not prove", "proves_not")):
        lines += ["", title, *(f"  - {sentence}" for sentence in answer[name])]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
