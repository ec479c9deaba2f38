"""
An archive in one file: appended to by each `apply`, rewritten when a redaction asks for it.

Exactly once: what counts is what a POSITION note closes. Records and note are appended
together and fsynced before `apply` returns. When the file is opened, whatever stands behind
the last POSITION that fits what it closes is passed over, and the next `apply` that writes
cuts it off: half records, whole ones of an `apply` that a crash ended, and pages that the
disk got out of order. Opening and closing change no byte of a file, and leave none where
nothing was applied. One file has one writer, through whatever symlinks: it holds
``PATH.lock`` while it is open, beside the file that the symlinks lead to.

A redaction rewrites the file, as ``PATH.new`` that then takes its place: without the data of
the revisions that it names, with what the same `apply` brings, and its position. So the
redaction is carried out exactly when the position says so. Where the file holds none of
them, it is appended to like any other.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, ClassVar, Final

from qldb_stream.errors import (
    DecodeError,
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block, RevisionKind
from qldb_stream.holding import Found, is_special, sync_folder
from qldb_stream.records import iter_records
from qldb_stream.report import Position, SinkSummary
from qldb_stream.sinks._archive._form import Form, Forms, closing_of, position_note
from qldb_stream.sinks._archive._recovery import DamageError, Part, find_end, iter_parts
from qldb_stream.sinks._archive._redact import (
    Target,
    may_hold,
    redact_block,
    redact_part,
    targets_of,
    targets_of_copies,
)
from qldb_stream.sinks._hold import hold

__all__ = ["FileArchive", "check_whole", "iter_block_data"]

HEAD_BYTES: Final = 1024
"""How much of a file is read for its header."""


class FileArchive:
    """
    Append blocks to one file, exactly once; a `qldb_stream.typing.ErasingSink`.

    A subclass says in which form, by `forms`.

    Args:
        path: the file; made when it is absent or empty.

    Raises:
        UsageError: the file is something else, of a newer version, damaged before its
            end, or may not be written.
        SinkUnavailableError: somebody else is writing it, or the disk fails.
    """

    # What an archive keeps must verify whole.
    can_park = False
    takes_filtered = False

    forms: ClassVar[Forms]

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)  # as given, for messages
        self._name = f"{self.forms.scheme}:{path}"
        self._positions: dict[str, Position] = {}
        self._tokens: dict[str, int] = {}
        self._documents = 0
        self._held = hold(self._name, path, partial(_unfit, self.forms.scheme))
        try:
            self._file = self._open_file()
        except BaseException:
            self._held.release()
            raise

    def position(self, strand_id: str) -> Position | None:
        """Give what the file holds of a strand."""
        return self._positions.get(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Append the blocks that are not in the file yet, and make them durable.

        The data of revisions that a block among them redacts is gone from the file then.

        Raises:
            StaleTokenError: a higher token has been used on the strand; nothing changes.
            SinkRefusedError: a block cannot be written in this form, or a filter changed
                it; nothing of the run is kept.
            SinkUnavailableError: the disk refuses; nothing of the run is kept.
        """
        strand_id = position.strand_id
        self._check_token(strand_id, token)
        stored = self._positions.get(strand_id)
        if stored is not None and stored.covers(position):
            return stored
        pending = blocks if stored is None else stored.pending(blocks)
        targets = targets_of(self._name, pending)
        data = b"".join(
            part
            for block in pending
            for part in iter_block_data(self._name, self._form, redact_block(block, targets))
        )
        positions = {**self._positions, strand_id: position}
        self._write(data, targets, positions, {**self._tokens, strand_id: token})
        self._documents += sum(r.metadata is not None for b in pending for r in b.revisions)
        return position

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """
        Rewrite the file without the data of revisions that are REDACTED in these copies.

        Raises:
            StaleTokenError: a higher token has been used on a strand; nothing changes.
            SinkUnavailableError: the disk refuses, or the file is damaged; nothing changes.
        """
        for strand_id in {block.address.strand_id for block in blocks}:
            self._check_token(strand_id, token)
        targets = targets_of_copies(blocks)
        if self._holds(targets):
            self._rewrite(targets, None)

    def summary(self) -> SinkSummary:
        """Say what was written; redactions were carried out."""
        return SinkSummary(documents=self._documents)

    def close(self) -> None:
        """Close the file and let go of it; where nothing was applied ever, none is left."""
        if self._file.closed:
            return
        self._file.close()
        if not self._positions:
            self._held.put_back()
        self._held.release()

    # --- writing ---

    def _check_token(self, strand_id: str, token: int) -> None:
        stored = self._tokens.get(strand_id, token)
        if token < stored:
            raise StaleTokenError(strand_id, stored, token)
        if strand_id in self._positions:
            self._tokens[strand_id] = token  # kept with the next position

    def _write(
        self,
        data: bytes,
        targets: frozenset[Target],
        positions: dict[str, Position],
        tokens: dict[str, int],
    ) -> None:
        """Make records and position durable, and the targets' data go, all or nothing."""
        added = data + self._closing_note(data, positions, tokens)
        if self._holds(targets):
            self._rewrite(targets, added)
        else:
            self._append(added)
        self._positions, self._tokens = positions, tokens

    def _append(self, data: bytes) -> None:
        try:
            # What a failed attempt left behind the end goes first.
            self._file.truncate(self._end)
            self._file.seek(self._end)
            _write_whole(self._file, data)
            os.fsync(self._file.fileno())
        except OSError as exc:
            raise SinkUnavailableError(self._name, str(exc.strerror)) from exc
        self._end += len(data)

    def _closing_note(
        self, data: bytes, positions: Mapping[str, Position], tokens: Mapping[str, int]
    ) -> bytes:
        return self._form.frame(position_note(closing_of([data], positions, tokens)))

    # --- redacting ---

    def _holds(self, targets: frozenset[Target]) -> bool:
        """Say whether the file may hold data of targets; reads it, when there are any."""
        if not targets:
            return False
        with _translated(self._name, self._path):
            parts = iter_parts(self._file, self._form, self._header_end, self._end)
            return any(may_hold(self._read(part), targets) for part in parts)

    def _rewrite(self, targets: frozenset[Target], added: bytes | None) -> None:
        """Put a file without the targets' data in this one's place, with what is added."""
        path = self._held.path
        fresh = _fresh(path)
        try:
            with _translated(self._name, self._path):
                # Readable to nobody who may not read the archive, from its first byte on.
                with open(fresh, "wb", opener=_private) as out:
                    self._copy_redacted(out, targets)
                    out.write(added or b"")
                    end = out.tell()
                    out.flush()
                    os.fsync(out.fileno())
                shutil.copymode(path, fresh)
                fresh.replace(path)
                sync_folder(path.parent)
                opened = path.open("r+b", buffering=0)
        finally:
            fresh.unlink(missing_ok=True)
        self._file.close()
        self._file, self._end = opened, end

    def _copy_redacted(self, out: BinaryIO, targets: frozenset[Target]) -> None:
        self._file.seek(0)
        out.write(self._file.read(self._header_end))
        parts = list(iter_parts(self._file, self._form, self._header_end, self._end))
        for part in reversed(parts):
            data = self._read(part)
            if not part.closing.closes(data):
                raise DamageError(part.start)
            redacted = redact_part(self._form, data, targets)
            out.write(redacted)
            closing = part.closing
            out.write(self._closing_note(redacted, closing.positions, closing.tokens))

    def _read(self, part: Part) -> bytes:
        self._file.seek(part.start)
        length = part.closing.length
        data = bytearray()
        while len(data) < length and (more := self._file.read(length - len(data))):
            data += more
        return bytes(data)

    # --- opening ---

    def _open_file(self) -> BinaryIO:
        path = self._held.path
        try:
            if self._held.found is not Found.CONTENT:
                _make_file(path, self.forms.new().header())
            opened = path.open("r+b", buffering=0)
        except OSError as exc:
            raise UsageError(f"cannot write {self._path}: {exc.strerror}") from exc
        try:
            self._recover(opened)
        except BaseException:
            opened.close()
            raise
        return opened

    def _recover(self, opened: BinaryIO) -> None:
        found = self.forms.read(opened.read(HEAD_BYTES), self._path)
        if found is None:
            kind = self.forms.scheme
            raise UsageError(f"{self._path} is not a file of {kind}:, it is left as it is")
        self._form, self._header_end = found
        try:
            last = find_end(opened, self._form, self._header_end)
        except DamageError as exc:
            raise UsageError(_damaged(self._path, exc.byte)) from exc
        self._end = self._header_end if last is None else last.end
        if last is not None:
            self._positions = dict(last.closing.positions)
            self._tokens = dict(last.closing.tokens)


def iter_block_data(sink: str, form: Form, block: Block) -> Iterator[bytes]:
    """
    Iterate over a block's records as a form writes them.

    Raises:
        SinkRefusedError: a record cannot be written in it, or a filter changed the block.
    """
    check_whole(sink, block)
    try:
        for record in iter_records(block):
            yield form.record(record)
    except DecodeError as exc:
        address = block.address
        raise SinkRefusedError(sink, address.strand_id, address.sequence_no, str(exc)) from exc


def check_whole(sink: str, block: Block) -> None:
    """
    Refuse a block that a filter changed: an archive must verify whole.

    Raises:
        SinkRefusedError: tables are left out or renamed, documents withheld or masked.
    """
    if block.filtered is None and not any(
        revision.masked or revision.kind is RevisionKind.WITHHELD for revision in block.revisions
    ):
        return
    raise SinkRefusedError(
        sink,
        block.address.strand_id,
        block.address.sequence_no,
        "a filter changed it, and an archive must verify whole; archive without filters",
    )


def _unfit(scheme: str, path: Path) -> str | None:
    """Say why a path can be no archive's."""
    if path.is_dir():
        return f"Is a directory; write {scheme}:PATH of a file"
    if is_special(path):
        return "expected a file or nothing, found a device, pipe or socket; it is left as it is"
    return None


class _translated:  # noqa: N801 - used as a function
    """Tell what happens to a file that is read and written anew as an error of the sink."""

    def __init__(self, sink: str, path: Path) -> None:
        self._sink = sink
        self._path = path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        """Translate what has a translation."""
        if isinstance(exc, DamageError):
            raise SinkUnavailableError(self._sink, _damaged(self._path, exc.byte)) from exc
        if isinstance(exc, OSError):
            raise SinkUnavailableError(self._sink, str(exc.strerror)) from exc


def _damaged(path: Path, byte: int) -> str:
    return (
        f"{path} is damaged: what stands before byte {byte} is not what was written; take up a "
        "copy, or write to another file"
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _write_whole(opened: BinaryIO, data: bytes) -> None:
    """Write everything; one call may take fewer bytes."""
    view = memoryview(data)
    while view:
        view = view[opened.write(view) :]


def _make_file(path: Path, header: bytes) -> None:
    """Make a file with its header, so that it is never seen without."""
    fresh = _fresh(path)
    try:
        with fresh.open("wb") as opened:
            opened.write(header)
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)
