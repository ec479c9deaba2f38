"""
Objects of S3 as files: listed when a source is opened, put on disk each time it is read.

A source reads everything twice, so its objects are fetched into a temporary folder first,
some at once, and removed when the reading ends: it needs as much room as they have bytes. Who
reads single places of it (by an index) fetches the objects that these are in, and no others.
What is fetched is what was listed: an object that is another one by then is an error. One
that may not be read is a problem of its own and costs the rest nothing.

`s3://BUCKET/KEY` is that object, where there is one of this key; else it is a prefix, as S3
takes it: all keys that begin with it. Names in messages are these URLs.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from qldb_stream.clients.s3_objects import (
    BucketReader,
    MissingObjectError,
    StoredObject,
    is_passed_over,
)
from qldb_stream.errors import (
    DeniedObjectError,
    SourceError,
    UnreadableFileError,
    UsageError,
)
from qldb_stream.events import Undecodable
from qldb_stream.sources._files import FoundFile, find_files
from qldb_stream.sources._meter import Meter, Progress

__all__ = ["FoundObjects", "ObjectFiles", "find_objects", "is_s3"]

_SCHEME: Final = "s3://"
_AT_ONCE: Final = 8
"""How many objects are fetched at the same time; boto3 holds ten connections."""


@attrs.frozen
class FoundObjects:
    """What a listing gave: objects in the order of reading, and how many keys are not looked at."""

    objects: tuple[StoredObject, ...] = ()
    passed_over: int = 0


def is_s3(path: str | Path) -> bool:
    """Say whether a path names objects of S3."""
    return isinstance(path, str) and path.startswith(_SCHEME)


def find_objects(urls: Sequence[str]) -> FoundObjects:
    """
    List the objects that URLs name, each once.

    Raises:
        UsageError: a URL names no bucket or nothing is there, it may not be listed, or boto3
            is missing or not configured.
        SourceError: S3 cannot be reached.
    """
    if not urls:
        return FoundObjects()
    reader = BucketReader()
    found: dict[tuple[str, str], StoredObject] = {}
    passed_over = 0
    for url in urls:
        bucket, _, key = url.removeprefix(_SCHEME).partition("/")
        if not bucket:
            raise UsageError(f"{url} names no bucket: s3://BUCKET/PREFIX")
        listed = _list(reader, bucket, key)
        if not listed:
            raise UsageError(f"cannot read {url}: no key of the bucket begins with this")
        is_object = not key.endswith("/")
        taken = [
            each
            for each in listed
            if (is_object and each.key == key) or not is_passed_over(each.key)
        ]
        passed_over += len(listed) - len(taken)
        found |= {(bucket, each.key): each for each in taken}
    return FoundObjects(tuple(found.values()), passed_over)


def _list(reader: BucketReader, bucket: str, key: str) -> list[StoredObject]:
    """Give the object of a key, or all below a prefix; the first of a listing is the shortest."""
    listed = []
    for each in reader.iter_objects(bucket, key):
        if each.key == key and not key.endswith("/"):
            return [each]
        listed.append(each)
    return listed


class ObjectFiles:
    """
    Objects as files in a temporary folder, each fetched once, and when it is asked for.

    Args:
        objects: what `find_objects` has found.
        progress: is told how far it has come when all are fetched, by one thread at a time.
    """

    def __init__(self, objects: Sequence[StoredObject], progress: Progress | None) -> None:
        self.objects: Final = objects
        self._meter = Meter(progress, sum(found.size or 0 for found in objects), "fetch")
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: dict[int, FoundFile] = {}

    def all(self) -> tuple[list[FoundFile], list[Undecodable]]:
        """
        Fetch all that are not here yet.

        Returns:
            The files in the order of the objects, named as these are, and those that may not
            be read.

        Raises:
            SourceError: an object is gone or another one, S3 cannot be reached, or there is no
                room in the temporary folder.
        """
        unread = self._fetch(range(len(self.objects)), self._meter.add)
        if self.objects:
            self._meter.end()
        return [self._files[number] for number in sorted(self._files)], unread

    def fetch(self, numbers: Iterable[int]) -> None:
        """
        Fetch some of them, by their number; one that there is not is passed over.

        Raises:
            SourceError: as `all`, or one of them may not be read.
        """
        there = range(len(self.objects))
        for unread in self._fetch([n for n in sorted(set(numbers)) if n in there], _untold):
            raise SourceError(unread.source, str(unread.error))

    def file(self, number: int) -> FoundFile:
        """Give one as a file; raises as `fetch`."""
        self.fetch((number,))
        return self._files[number]

    def close(self) -> None:
        """Remove what was fetched."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._files = {}

    def _fetch(self, numbers: Sequence[int], tell: Callable[[int], None]) -> list[Undecodable]:
        """Fetch some objects that are not here, and give those that may not be read."""
        wanted = {n: self.objects[n] for n in numbers if n not in self._files}
        if not wanted:
            return []
        if self._folder is None:
            with _no_folder():
                self._folder = tempfile.TemporaryDirectory(prefix="qldb-stream-")
        found, unread = _Fetch(Path(self._folder.name), tell).run(wanted)
        self._files |= found
        return unread


def _untold(_count: int) -> None:
    """Tell nobody: how much is to come is not known where objects come one by one."""


class _GivenUpError(Exception):
    """Nobody wants the rest any more; no error of S3, which would be tried again."""


class _Fetch:
    """One run over all objects of a source, by several threads."""

    def __init__(self, folder: Path, tell: Callable[[int], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._reader = BucketReader()
        self._lock = threading.Lock()
        self._is_over = False

    def run(
        self, objects: Mapping[int, StoredObject]
    ) -> tuple[dict[int, FoundFile], list[Undecodable]]:
        """Fetch them all, or stop soon at what stops the source."""
        with ThreadPoolExecutor(_AT_ONCE, "qldb-stream-s3") as pool:
            futures = {
                number: pool.submit(self._fetch, found, self._folder / str(number))
                for number, found in objects.items()
            }
            try:
                done = self._wait(objects, futures)
            except BaseException:  # Ctrl-C among them: threads end at their next piece
                self._is_over = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        paths = {path: objects[number].name for number, path in done.items()}
        files = dict(zip(done, find_files(list(paths), paths).files, strict=True))
        unread = [_unread(found, futures[number]) for number, found in objects.items()]
        return files, [each for each in unread if each is not None]

    def _wait(
        self, objects: Mapping[int, StoredObject], futures: Mapping[int, Future[Path]]
    ) -> dict[int, Path]:
        done = {}
        for number, future in futures.items():
            try:
                done[number] = future.result()
            except DeniedObjectError:
                pass  # told by `_unread`
            except MissingObjectError as exc:
                raise SourceError(objects[number].name, "was removed while it was read") from exc
        return done

    def _fetch(self, found: StoredObject, path: Path) -> Path:
        self._reader.download(found, path, self._took)
        return path

    def _took(self, count: int) -> None:
        with self._lock:
            if self._is_over:
                raise _GivenUpError
            self._tell(count)


def _unread(found: StoredObject, future: Future[Path]) -> Undecodable | None:
    """Say of an object that may not be read, why."""
    error = future.exception()
    if error is None:
        return None
    return Undecodable(found.name, 0, found.size or 0, UnreadableFileError(str(error)))


@contextmanager
def _no_folder() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        where = tempfile.gettempdir()
        raise SourceError(where, f"has no room for objects of S3: {exc.strerror}") from exc
