"""
Install the package into a bare environment of each Python found, and import all of it.

What the development environment cannot show: that the core needs no more than it declares,
that the wheel holds every module, and that each supported Python takes them. Rooms whose
extra is not installed are left out: they are named in `NEEDS_EXTRA`.

Usage: python scripts/check_imports.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent
PYTHONS: Final = ("python3.11", "python3.12", "python3.13")
NEEDS_EXTRA: Final = (
    "qldb_stream.cli._",
    "qldb_stream.server",
    "qldb_stream.sinks.kafka._",
    "qldb_stream.sinks.opensearch._",
    "qldb_stream.sinks.postgres._",
    "qldb_stream.sinks.webhook._",
    "qldb_stream.testing.pytest_plugin",
    "qldb_stream.testing.strategies",
    "qldb_stream.__main__",
)

IMPORT_ALL: Final = f"""
import importlib, pkgutil, sys, qldb_stream
names = [m.name for m in pkgutil.walk_packages(qldb_stream.__path__, "qldb_stream.")]
taken = [name for name in names if not name.startswith({NEEDS_EXTRA!r})]
for name in taken:
    importlib.import_module(name)
for name in qldb_stream.__all__:
    getattr(qldb_stream, name)
print(f"imports: {{len(taken)}} modules on Python {{sys.version.split()[0]}}")
"""


def works(python: str) -> bool:
    """Say whether a Python of this name is there and starts."""
    if shutil.which(python) is None:
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def check(python: str) -> None:
    """Install the package alone and import its modules; a failure ends the script."""
    with tempfile.TemporaryDirectory() as folder:
        bare = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "venv", folder], check=True)
        install = [bare, "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
        subprocess.run([*install, str(REPOSITORY)], check=True)
        subprocess.run([bare, "-W", "error", "-c", IMPORT_ALL], check=True, cwd=folder)


def main() -> None:
    """Check every Python that is found, or at least this one."""
    for python in [name for name in PYTHONS if works(name)] or [sys.executable]:
        check(python)


if __name__ == "__main__":
    main()
