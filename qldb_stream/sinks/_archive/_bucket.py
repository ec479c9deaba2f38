"""
An archive in a bucket of S3: numbered objects of bounded size, and a position for each strand.

Below the prefix each strand has a folder of its own: ``STRAND/000000000001.ion`` and so on, and
``STRAND/.position.json``. Each object is a whole archive file of its form, so that what is
downloaded is read like any other file; `.position.json` is passed over then, as hidden names are.

Exactly once: an object counts when the position says that there are as many. Objects are
written first, then the position, over the one that was seen. What a crash left has the numbers
of objects that do not count yet: it is removed by the next writer, or overwritten.

Fencing: before its first write to a strand a sink writes the position anew, with a name of
its own. From then on whoever wrote before cannot write a position, since it is not the one
that was seen; nor an object, since one is there, and before it overwrites that it finds that
the position has changed. So two writers never mix, whatever their tokens; a token lower than the
stored one is refused besides. All this needs a store that heeds conditions; one that does not is
found out by the first write. With ``conditional=no`` there is one writer because its owner says so.

A redaction writes the objects anew that hold what it names, before the position says so.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from qldb_stream.errors import SinkUnavailableError, StaleTokenError, UsageError
from qldb_stream.events import Block
from qldb_stream.report import Position, SinkSummary
from qldb_stream.sinks._archive._file import iter_block_data
from qldb_stream.sinks._archive._form import Forms, check_version, closing_of, position_note
from qldb_stream.sinks._archive._objects import NO_CONDITIONS, Objects, StoredObject
from qldb_stream.sinks._archive._recovery import DamageError, find_end
from qldb_stream.sinks._archive._redact import (
    Target,
    redact_block,
    redact_part,
    targets_of,
    targets_of_copies,
)

__all__ = ["BucketArchive"]

FORMAT: Final = "qldb-stream archive"
VERSION: Final = 1


@attrs.frozen
class _Strand:
    """What is stored of a strand; `etag` is that of its position, None where there is none."""

    strand_id: str
    etag: str | None = None
    objects: int = 0
    position: Position | None = None
    token: int | None = None
    is_ours: bool = False


class BucketArchive:
    """
    Write blocks as numbered objects, exactly once; a `qldb_stream.typing.ErasingSink`.

    Args:
        url: ``s3://BUCKET/PREFIX``.
        forms: its kind.
        object_bytes: how large objects are at most, single blocks apart.
        is_conditional: whether the store heeds If-None-Match and If-Match.

    Raises:
        UsageError: the URL names no bucket, boto3 is not installed or has nowhere to go.
    """

    # What an archive keeps must verify whole.
    can_park = False
    takes_filtered = False

    def __init__(self, url: str, forms: Forms, *, object_bytes: int, is_conditional: bool) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not bucket:
            raise UsageError(f"{url} names no bucket: write {forms.scheme}:s3://BUCKET/PREFIX")
        self._name: Final = f"{forms.scheme}:{url}"
        self._scheme: Final = forms.scheme
        self._forms: Final = forms
        self._prefix: Final = f"{prefix.strip('/')}/".removeprefix("/")
        self._object_bytes: Final = object_bytes
        self._is_conditional: Final = is_conditional
        self._objects: Final = Objects(self._name, bucket, is_conditional=is_conditional)
        self._writer: Final = secrets.token_hex(16)
        self._strands: dict[str, _Strand] = {}
        self._documents = 0

    def position(self, strand_id: str) -> Position | None:
        """
        Give what the archive holds of a strand.

        Raises:
            UsageError: the position is of another kind of archive, or a newer version; or S3
                refuses: no such bucket, no right, no credentials.
            SinkUnavailableError: S3 cannot be reached, or not now.
        """
        return self._strand(strand_id).position

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Write the blocks that are not there yet; objects first, then the position.

        The data of revisions that a block among them redacts is gone then.

        Raises:
            StaleTokenError: a higher token has been used on the strand, before or meanwhile;
                nothing changes.
            SinkRefusedError: a block cannot be written in this form, or a filter changed it.
            UsageError: the store does not heed conditions.
            SinkUnavailableError: S3 cannot be reached, or another writer has taken
                over with the same token; nothing of the run counts.
        """
        try:
            return self._apply(blocks, position, token)
        except SinkUnavailableError:
            if position.strand_id not in self._strands:  # lost to another writer
                self._check_token(self._strand(position.strand_id), token)
            raise

    def _apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        strand = self._strand(position.strand_id)
        self._check_token(strand, token)
        if strand.position is not None and strand.position.covers(position):
            return strand.position
        pending = blocks if strand.position is None else strand.position.pending(blocks)
        targets = targets_of(self._name, pending)
        contents = list(self._contents(pending, targets, position, token))
        strand = self._take(strand, token)
        for number, (data, ends) in enumerate(contents, strand.objects + 1):
            self._put_object(strand, number, data, ends)
        self._redact(targets)
        strand = attrs.evolve(strand, position=position, objects=strand.objects + len(contents))
        self._put_position(attrs.evolve(strand, token=token))
        self._documents += sum(r.metadata is not None for b in pending for r in b.revisions)
        return position

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """
        Write objects anew without the data of revisions that are REDACTED in these copies.

        Raises:
            StaleTokenError: a higher token has been used on a strand; nothing changes.
            SinkUnavailableError: S3 cannot be reached, or an object is damaged or
                was changed by another writer; it may be asked again.
        """
        for strand_id in {block.address.strand_id for block in blocks}:
            self._check_token(self._strand(strand_id), token)
        self._redact(targets_of_copies(blocks))

    def summary(self) -> SinkSummary:
        """Say what was written; redactions were carried out."""
        return SinkSummary(documents=self._documents)

    def close(self) -> None:
        """Do nothing: all that was applied is stored."""

    # --- positions ---

    def _strand(self, strand_id: str) -> _Strand:
        known = self._strands.get(strand_id)
        if known is None:
            found = self._objects.get(self._position_key(strand_id))
            known = _Strand(strand_id) if found is None else self._read(strand_id, found)
            self._strands[strand_id] = known
        return known

    def _read(self, strand_id: str, found: StoredObject) -> _Strand:
        where = f"{self._name} ({self._position_key(strand_id)})"
        try:
            note = json.loads(found.data)
            if note["format"] != FORMAT or note["kind"] != self._scheme:
                raise UsageError(f"{where} is no position of {self._scheme}:, it is left as it is")
            check_version(where, note["version"], VERSION)
            entry = note["position"]
            position = None if entry is None else Position.from_json(entry)
            return _Strand(strand_id, found.etag, note["objects"], position, note["token"])
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise UsageError(f"{where} is damaged; restore it, or write elsewhere") from exc

    def _check_token(self, strand: _Strand, token: int) -> None:
        if strand.token is not None and token < strand.token:
            raise StaleTokenError(strand.strand_id, strand.token, token)

    def _take(self, strand: _Strand, token: int) -> _Strand:
        """Become the strand's writer, and remove what an earlier one left unfinished."""
        if not self._is_conditional:
            self._check_unchanged(strand)
        if strand.is_ours:
            return strand
        strand = self._put_position(attrs.evolve(strand, token=token, is_ours=True))
        if self._is_conditional:
            key = self._position_key(strand.strand_id)
            # It is there, so a store that heeds conditions refuses this.
            if self._objects.put(key, self._note(strand), None) is not None:
                raise UsageError(f"{self._name}: the bucket {NO_CONDITIONS}")
        last = self._object_key(strand.strand_id, strand.objects)
        folder = self._folder(strand.strand_id)
        for key in list(self._objects.iter_keys(folder)):
            if key > last and key.endswith(f".{self._scheme}"):
                self._objects.delete(key)
        return strand

    def _put_position(self, strand: _Strand) -> _Strand:
        key = self._position_key(strand.strand_id)
        etag = self._objects.put(key, self._note(strand), strand.etag)
        if etag is None:
            raise self._lost(strand.strand_id)
        strand = attrs.evolve(strand, etag=etag)
        self._strands[strand.strand_id] = strand
        return strand

    def _note(self, strand: _Strand) -> bytes:
        position = None if strand.position is None else strand.position.as_json()
        note: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "kind": self._scheme,
            "writer": self._writer,
            "objects": strand.objects,
            "token": strand.token,
            "position": position,
        }
        return json.dumps(note).encode("ascii") + b"\n"

    def _check_unchanged(self, strand: _Strand) -> None:
        """Find out whether somebody else wrote the position since it was seen."""
        found = self._objects.head(self._position_key(strand.strand_id))
        if (None if found is None else found.etag) != strand.etag:
            raise self._lost(strand.strand_id)

    def _lost(self, strand_id: str) -> SinkUnavailableError:
        self._strands.pop(strand_id, None)  # whoever asks again sees what is there now
        return SinkUnavailableError(
            self._name, f"another writer has taken over strand {strand_id}; nothing was changed"
        )

    # --- objects ---

    def _contents(
        self,
        blocks: Sequence[Block],
        targets: frozenset[Target],
        position: Position,
        token: int,
    ) -> Iterator[tuple[bytes, tuple[int, int]]]:
        """Iterate over what objects are to hold, each with its first and last block."""
        form = self._forms.new()
        held: list[bytes] = []
        first = size = 0
        for index, block in enumerate(blocks):
            part = b"".join(iter_block_data(self._name, form, redact_block(block, targets)))
            first = block.address.sequence_no if not held else first
            held.append(part)
            size += len(part)
            if size < self._object_bytes and index + 1 < len(blocks):
                continue
            reached = position.at(block)
            closing = closing_of(held, {reached.strand_id: reached}, {reached.strand_id: token})
            note = form.frame(position_note(closing))
            yield b"".join((form.header(), *held, note)), (first, block.address.sequence_no)
            form, held, size = self._forms.new(), [], 0

    def _put_object(self, strand: _Strand, number: int, data: bytes, ends: tuple[int, int]) -> None:
        key = self._object_key(strand.strand_id, number)
        metadata = {"first": str(ends[0]), "last": str(ends[1])}
        if self._objects.put(key, data, None, metadata) is not None:
            return
        # Left by a writer that was cut off, or our own of a request that was sent twice.
        found = self._objects.head(key)
        self._check_unchanged(strand)
        etag = None if found is None else found.etag
        if self._objects.put(key, data, etag, metadata) is None:
            raise self._lost(strand.strand_id)

    def _redact(self, targets: frozenset[Target]) -> None:
        by_object: dict[str, set[Target]] = {}
        for target in targets:
            key = self._find(self._strand(target[0]), target[1])
            if key is not None:
                by_object.setdefault(key, set()).add(target)
        for key, here in by_object.items():
            self._redact_object(key, frozenset(here))

    def _find(self, strand: _Strand, number: int) -> str | None:
        """Find the object that has a block, in as many steps as the count of objects has bits."""
        low, high = 1, strand.objects
        while low <= high:
            middle = (low + high) // 2
            key = self._object_key(strand.strand_id, middle)
            found = self._objects.head(key)
            if found is None:
                raise SinkUnavailableError(self._name, f"the object {key} is gone; restore it")
            first, last = int(found.metadata["first"]), int(found.metadata["last"])
            if first <= number <= last:
                return key
            low, high = (middle + 1, high) if number > last else (low, middle - 1)
        return None

    def _redact_object(self, key: str, targets: frozenset[Target]) -> None:
        found = self._objects.get(key)
        before = b"" if found is None else found.data
        damaged = SinkUnavailableError(self._name, f"the object {key} is damaged; restore it")
        header = self._forms.read(before[:1024], key)
        if found is None or header is None:
            raise damaged
        form, header_end = header
        try:
            part = find_end(io.BytesIO(before), form, header_end)
        except DamageError as exc:
            raise damaged from exc
        if part is None or part.start != header_end or part.end != len(before):
            raise damaged
        data = redact_part(form, before[part.start : part.note_start], targets)
        closing = closing_of([data], part.closing.positions, part.closing.tokens)
        after = before[:header_end] + data + form.frame(position_note(closing))
        if after == before:
            return
        if self._objects.put(key, after, found.etag, found.metadata) is None:
            raise SinkUnavailableError(
                self._name, f"the object {key} was changed by another writer"
            )

    def _folder(self, strand_id: str) -> str:
        return f"{self._prefix}{strand_id}/"

    def _position_key(self, strand_id: str) -> str:
        return f"{self._folder(strand_id)}.position.json"

    def _object_key(self, strand_id: str, number: int) -> str:
        return f"{self._folder(strand_id)}{number:012d}.{self._scheme}"
