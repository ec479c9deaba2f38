"""A deployed Lambda function: containers that run its zip, started when needed, killed at will."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import attrs

RUNTIME: Final = Path(__file__).with_name("runtime.py")


class FunctionError(Exception):
    """The function raised, or its container died."""


@attrs.frozen
class Deployment:
    """
    What is deployed: the unpacked zip, what the runtime brings, the handler and its environment.

    Attributes:
        task: the folder with the zip's content, as `/var/task`.
        runtime: the folder with boto3.
        handler: MODULE.FUNCTION.
        environment: the function's variables; nothing else is passed on.
        calls: a file to which each request to AWS that the function makes is added.
        timeouts_ms: how long the calls of a container may take, one after the other; the last is
            for all others.
    """

    task: Path
    runtime: Path
    handler: str
    environment: Mapping[str, str]
    calls: Path | None = None
    timeouts_ms: tuple[int, ...] = (60_000,)


class Container:
    """One process of a function, which takes one event at a time."""

    def __init__(self, deployed: Deployment) -> None:
        event_fd, self._event_fd = os.pipe()
        self._answer_fd, answer_fd = os.pipe()
        timeouts = ",".join(map(str, deployed.timeouts_ms))
        fds = [event_fd, answer_fd]
        if deployed.calls is not None:
            fds.append(os.open(deployed.calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        command = [sys.executable, "-I", "-S", str(RUNTIME), str(deployed.task)]
        self._process = subprocess.Popen(
            [*command, str(deployed.runtime), deployed.handler, timeouts, *map(str, fds)],
            env=dict(deployed.environment),
            pass_fds=fds,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for fd in fds:
            os.close(fd)
        self._events = os.fdopen(self._event_fd, "w")
        self._answers = os.fdopen(self._answer_fd)
        self.logs = b""
        self._reader = threading.Thread(target=self._read_logs, daemon=True)
        self._reader.start()
        said = self._receive()
        if said["init"] is not None:
            self.close()
            raise FunctionError(said["init"])

    def invoke(self, event: object, *, kill_after_s: float | None = None) -> Any:
        """
        Call the handler; kill the process meanwhile when told to.

        Raises:
            FunctionError: the handler raised, or the process is gone.
        """
        timer = None if kill_after_s is None else threading.Timer(kill_after_s, self.kill)
        if timer is not None:
            timer.start()
        try:
            self._events.write(json.dumps(event) + "\n")
            self._events.flush()
            said = self._receive()
        except BrokenPipeError as exc:
            raise FunctionError("the process is gone") from exc
        finally:
            if timer is not None:
                timer.cancel()
                timer.join()
        if "error" in said:
            raise FunctionError(said["error"])
        return said["value"]

    @property
    def is_alive(self) -> bool:
        """Say whether the process can take another event."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the process, as Lambda does at a timeout."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process and read its log to the end."""
        self.kill()
        with suppress(BrokenPipeError):
            self._events.close()
        self._answers.close()
        self._reader.join()

    def _receive(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            self._process.wait()
            raise FunctionError("the process is gone")
        said: dict[str, Any] = json.loads(line)
        return said

    def _read_logs(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream:
            for line in stream:
                self.logs += line


class Function:
    """
    A function that any number of threads call: each call has a container for itself.

    Args:
        deployed: what runs.
        kill_share: how many of the calls have their container killed while it works.
        kills: the calls, counted from 1, whose container is killed as soon as it has the event.
        seed: where chance comes from.
    """

    def __init__(
        self,
        deployed: Deployment,
        *,
        kill_share: float = 0.0,
        kills: Collection[int] = (),
        seed: int = 0,
    ) -> None:
        self._deployed = deployed
        self._kills = kills
        self._kill_share = kill_share
        self._random = Random(seed)
        self._lock = threading.Lock()
        self._free: list[Container] = []
        self._all: list[Container] = []
        self.killed = 0
        self.calls = 0

    def invoke(self, event: object) -> Any:
        """
        Call the function.

        Raises:
            FunctionError: it failed.
        """
        container = self._take()
        try:
            return container.invoke(event, kill_after_s=self._kill_after_s())
        finally:
            with self._lock:
                if container.is_alive:
                    self._free.append(container)
                else:
                    self.killed += 1

    def close(self) -> None:
        """End all processes."""
        for container in self._all:
            container.close()

    @property
    def logs(self) -> str:
        """All that the function printed."""
        return b"".join(container.logs for container in self._all).decode(errors="replace")

    def _take(self) -> Container:
        with self._lock:
            self.calls += 1
            if self._free:
                return self._free.pop()
        container = Container(self._deployed)
        with self._lock:
            self._all.append(container)
        return container

    def _kill_after_s(self) -> float | None:
        with self._lock:
            if self.calls in self._kills:
                return 0.0
            if self._random.random() >= self._kill_share:
                return None
            return self._random.uniform(0.0, 0.5)
