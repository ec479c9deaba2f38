"""
Deliver in another process, so that it can be killed, or fight with a second one.

The process is `qldb_stream.testing.kit._victim`; it is told what to do as one JSON object, and
says ``open`` when its sink is open, then ``done``, or ``ended DISPOSITION TYPE: text`` when an
error ended it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Final

from qldb_stream.testing.kit._report import Finding, FindingError
from qldb_stream.testing.kit._subject import Subject

__all__ = ["Victim"]

_MODULE: Final = "qldb_stream.testing.kit._victim"


class Victim:
    """A process that delivers the long journal to the sink of a place."""

    def __init__(self, subject: Subject, place: Path, token: int = 1) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_end`
        self._process = subprocess.Popen(  # noqa: S603 - this Python, and a module of ours
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.curdir for p in sys.path)},
        )
        order: dict[str, Any] = {
            "target": subject.target,
            "is_url": subject.is_url,
            "guarantee": subject.guarantee.name,
            "place": str(place),
            "token": token,
        }
        told, said = self._process.stdin, self._process.stdout
        assert told is not None
        assert said is not None
        self._said: IO[bytes] = said
        told.write(json.dumps(order).encode())
        told.close()

    def run_whole(self, limit_s: float) -> float:
        """
        Let it deliver everything.

        Returns:
            How many seconds it took after its sink was open.

        Raises:
            FindingError: it did not come to the end.
        """
        self._wait_until_open()
        began = time.perf_counter()
        said = self.end(limit_s)
        if said != "done":
            raise FindingError(
                Finding(
                    "a process of its own could not deliver",
                    "the whole journal, delivered",
                    said,
                    "what the sink needs from the process that opens it",
                )
            )
        return time.perf_counter() - began

    def kill_after(self, seconds: float, limit_s: float) -> bool:
        """
        Kill it so long after its sink is open.

        Returns:
            False when it had come to its end before.
        """
        self._wait_until_open()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.end(limit_s)
        return self._process.returncode < 0 or os.name == "nt"

    def end(self, limit_s: float) -> str:
        """Wait for its end; answer what it said last, or what it complained about."""
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._said as out, self._errors as errors:
            said = out.read().decode(errors="replace").strip().rpartition("\n")[2]
            errors.seek(0)
            complaint = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        return said or complaint or f"nothing, exit code {self._process.returncode}"

    def _wait_until_open(self) -> None:
        self._said.readline()
