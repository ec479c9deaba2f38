"""
Check that the package in the working folder is compiled, wherever pyproject.toml says so.

A build that lost its binaries would pass every test, slowly. Then values are nested as deep as they
may be, and deeper, in a thread of little stack: compiled code does not count in Python's recursion
limit, so MAX_DEPTH alone stands between a stranger's bytes and the end of the process.

Usage: cd build/compiled && python ../../scripts/check_compiled.py
"""

from __future__ import annotations

import importlib
import sys
import threading
import tomllib
from pathlib import Path
from typing import Final

# musl gives threads 128 KiB, the least of the systems that Python runs on.
STACK_BYTES: Final = 1 << 17


def modules() -> list[str]:
    """Name what the build hook compiles."""
    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    hook = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    return [path.removesuffix(".py").replace("/", ".") for path in hook["modules"]]


def nested(depth: int, type_byte: int) -> bytes:
    """Write lists or structs inside each other; a struct's only field is named `name`."""
    value = b"\x0f"
    for _ in range(depth):
        body = (b"\x84" if type_byte == 0xDE else b"") + value
        length = bytes((len(body) >> 7 & 0x7F, len(body) & 0x7F | 0x80))
        value = bytes((type_byte,)) + length + body
    return b"\xe0\x01\x00\xea" + value


def read_deep() -> None:
    """Decode and hash at the bound, and be refused beyond it."""
    from qldb_stream.errors import IonDecodeError
    from qldb_stream.ion import ion_hash, load_slice
    from qldb_stream.ion._types import MAX_DEPTH

    for type_byte in (0xBE, 0xDE):
        value = load_slice(nested(MAX_DEPTH - 1, type_byte))
        value.decode()
        value.hash()
        for depth in (MAX_DEPTH + 1, 4_000):
            for read in (lambda data: load_slice(data).decode(), ion_hash):
                try:
                    read(nested(depth, type_byte))
                except IonDecodeError:
                    continue
                raise AssertionError(f"{depth} levels were read")


def main() -> None:
    sys.path.insert(0, str(Path.cwd()))
    for name in modules():
        file = importlib.import_module(name).__file__ or ""
        if file.endswith(".py"):
            sys.exit(f"compiled: {name} is not compiled: {file}")
    threading.stack_size(STACK_BYTES)
    done = threading.Event()
    thread = threading.Thread(target=lambda: [read_deep(), done.set()])
    thread.start()
    thread.join()
    if not done.is_set():
        sys.exit("compiled: deep nesting does not end as it should")
    print(f"compiled: {len(modules())} modules, {STACK_BYTES >> 10} KiB of stack are enough")


if __name__ == "__main__":
    main()
