"""The zip as Lambda has it: unpacked, beside a folder with boto3, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

SCRIPT: Final = Path(__file__).resolve().parents[2] / "scripts" / "build_lambda.py"

# What Lambda's runtime brings: boto3 and what it needs.
RUNTIME: Final = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six")

CALL: Final = """
import json, sys
module, name, events = json.load(sys.stdin)
handler = getattr(__import__("qldb_stream.aws." + module, fromlist=[name]), name)


class Context:
    def get_remaining_time_in_millis(self):
        return 60_000


answers = [handler(event, Context()) for event in events]
print("\\n" + json.dumps(answers))
"""


@attrs.frozen
class Zip:
    """A zip that was built, and where it is unpacked; `packages` is where pip put things."""

    path: Path
    folder: Path
    runtime: Path
    packages: Path

    @property
    def names(self) -> list[str]:
        """The names of its entries."""
        with zipfile.ZipFile(self.path) as opened:
            return opened.namelist()

    @property
    def unpacked_bytes(self) -> int:
        """How much it unpacks to."""
        with zipfile.ZipFile(self.path) as opened:
            return sum(entry.file_size for entry in opened.infolist())

    def read(self, names: Iterable[str]) -> list[bytes]:
        """Read some of its entries."""
        with zipfile.ZipFile(self.path) as opened:
            return [opened.read(name) for name in names]

    def build(self, out: Path) -> None:
        """Build it once more, of the packages that are there."""
        build(out, self.packages)

    def run(self, code: str, environment: Mapping[str, str], stdin: str = "") -> str:
        """Run code with only the zip and boto3 on Python's path; give what it printed."""
        path = f"import sys; sys.path[:0] = [{str(self.folder)!r}, {str(self.runtime)!r}]\n"
        # -S: none of this environment's packages; -E: none of its variables.
        done = subprocess.run(
            [sys.executable, "-S", "-E", "-c", path + code],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env={"PATH": os.defpath, "AWS_DEFAULT_REGION": "eu-west-1", **environment},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def run_handler(
    built: Zip, name: str, events: Sequence[Mapping[str, Any]], environment: Mapping[str, str]
) -> list[Any]:
    """Call a handler with events, one after the other in one process; give its answers."""
    stdin = json.dumps([*name.split("."), events])
    answers: list[Any] = json.loads(built.run(CALL, environment, stdin).splitlines()[-1])
    return answers


def build(out: Path, packages: Path) -> None:
    """Build a zip for this Python on this machine."""
    arch = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    version = ".".join(map(str, sys.version_info[:2]))
    command = [sys.executable, str(SCRIPT), "--python", version, "--arch", arch]
    subprocess.run([*command, "--out", str(out), "--packages", str(packages)], check=True)


def make_runtime(folder: Path) -> Path:
    """Link boto3 and what it needs into a folder."""
    folder.mkdir()
    for name in RUNTIME:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        found = origin.parent if origin.name == "__init__.py" else origin
        (folder / found.name).symlink_to(found)
    return folder
