"""
The shell's terminal: prompt_toolkit's editing, history and completion around the session.

Nothing is decided here. Input may have several lines; Enter ends it when it is complete.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from qldb_stream.cli._connections import Connection
from qldb_stream.cli._shell_core import WORDS, is_complete
from qldb_stream.cli._shell_session import ShellSession
from qldb_stream.partiql import RESERVED_WORDS

__all__ = ["converse", "is_terminal"]

_NO_HISTORY: Final = "-"
_WORD: Final = re.compile(r"[A-Za-z0-9_$\\]+$")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")

_KEYWORDS: Final = tuple(sorted(RESERVED_WORDS))


def is_terminal() -> bool:
    """Tell whether a person can type here."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def converse(connection: Connection, row_format: str, history: str | None) -> None:
    """
    Read and do what is typed until its end.

    Args:
        connection: the ledger.
        row_format: how rows are shown at first.
        history: the file that keeps input; None for the usual one, "-" for none.

    Raises:
        LedgerError: the ledger cannot be read at the beginning.
    """
    session = ShellSession(connection, _write, row_format=row_format)
    session.start()
    _write(f"ledger {connection.name}; HELP lists what there is\n")
    prompt: PromptSession[str] = PromptSession(
        history=_open_history(history),
        completer=_Completer(session),
        complete_while_typing=False,
        multiline=True,
        key_bindings=_bindings(),
        prompt_continuation="... ",
    )
    try:
        while True:
            try:
                text = prompt.prompt(session.prompt)
            except KeyboardInterrupt:
                continue  # what was typed is dropped
            except EOFError:
                return
            if not session.read(text):
                return
    finally:
        session.close()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _bindings() -> KeyBindings:
    """Let Enter end a complete input, and begin another line of any other."""
    bindings = KeyBindings()

    @bindings.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_complete(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.newline(copy_margin=False)

    return bindings


class _Completer(Completer):
    """Completes the shell's words, PartiQL's, tables, and fields that were seen."""

    def __init__(self, session: ShellSession) -> None:
        self._session: Final = session

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - the interface's
    ) -> Iterable[Completion]:
        """Give the words that begin as the one before the cursor does, in any case."""
        match = _WORD.search(document.text_before_cursor)
        prefix = match[0] if match else ""
        if not prefix:
            return
        for word in self._words(prefix):
            yield Completion(word, -len(prefix))

    def _words(self, prefix: str) -> Iterable[str]:
        begins = prefix.lower()
        names = dict.fromkeys((*self._session.tables, *sorted(self._session.printer.fields)))
        for name in names:
            if name.lower().startswith(begins):
                yield name if _PLAIN_NAME.fullmatch(name) else f'"{name}"'
        for word in (*WORDS, *_KEYWORDS):
            if word.lower().startswith(begins):
                yield word.lower() if prefix.islower() else word


def _open_history(file: str | None) -> History:
    """Open the history, readable by its owner alone: statements may hold anything."""
    if file == _NO_HISTORY:
        return InMemoryHistory()
    path = Path(file) if file is not None else _usual_history()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as exc:
        _write(f"input is not kept: {path}: {exc.strerror}\n")
        return InMemoryHistory()
    return FileHistory(path)


def _usual_history() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "qldb-stream" / "history"
