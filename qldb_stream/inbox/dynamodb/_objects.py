"""
What is too long for an item, as objects of S3, each of which belongs to one item.

S3 and DynamoDB share no transaction, so that an object must never be without somebody who knows
of it, or what was erased would stay in it. Therefore a note:

- Before an object is written, a note of it is. The transaction that writes the item deletes
  the note; it fails when somebody has claimed the object meanwhile.
- The transaction that deletes the item writes a note, claimed. Then the object goes, in all of
  its versions, and then the note.

What a crash leaves is a note. Who opens the inbox removes what is claimed, and what has been
loose for a day; who erases a block removes all that is loose of it, at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from qldb_stream.boto import code_of
from qldb_stream.errors import InboxFileError, UsageError
from qldb_stream.inbox.dynamodb._calls import Calls
from qldb_stream.inbox.dynamodb._keys import HASH_KEY, RANGE_KEY, Key, number_text, part
from qldb_stream.inbox.dynamodb._table import Action, Table

__all__ = ["MOST_BYTES", "GoneError", "Objects", "block_folder"]

MOST_BYTES: Final = 64 << 20
"""How long what is stored may be; nothing that is longer is ever written, or read."""

_NOTES: Final = "object"
_LOOSE_S: Final = 86_400.0  # no `put` takes a day, however often it tries
_IS_OURS: Final = f"attribute_exists(#{HASH_KEY}) AND attribute_not_exists(#claimed)"


class GoneError(Exception):
    """An object that is not there: its item was removed meanwhile, or somebody deleted it."""


def block_folder(strand_id: str, number: int) -> str:
    """Give what the names of a block's objects begin with, below the prefix."""
    return f"{part(strand_id)}/{number_text(number)}/"


class Objects:
    """
    The objects of one inbox.

    Args:
        make_client: makes the client of S3, when the first object comes.
        bucket: where they are; None for none.
        prefix: what their names begin with.
        table: where notes are.
    """

    def __init__(
        self, make_client: Callable[[], Any], bucket: str | None, prefix: str, table: Table
    ) -> None:
        self.bucket: Final = bucket
        self._prefix: Final = prefix
        self._table: Final = table
        self._make_client: Final = make_client
        self._client: Any = None

    @property
    def _calls(self) -> Calls:
        return self._table.calls

    def add(self, folder: str, data: bytes, now_s: float) -> str:
        """Write an object, loose until `claim_action` is done; answer its name."""
        name = f"{folder}{self._calls.new_id()}"
        note: dict[str, Any] = {HASH_KEY: _NOTES, RANGE_KEY: name, "since_s": now_s}
        self._table.put(note)
        self._call("put_object", None, Key=self._prefix + name, Body=data)
        return name

    def read(self, name: str) -> bytes:
        """
        Read an object.

        Raises:
            GoneError: it is not there.
            InboxFileError: it is longer than anything that was ever written.
        """
        data = self._call("get_object", _read_whole, Key=self._prefix + name)
        if not isinstance(data, bytes):
            raise InboxFileError(self._calls.name, f"object {name} is not what was written")
        return data

    def claim_action(self, name: str) -> Action:
        """Give the action that makes an object the item's that is written with it."""
        return self._table.delete_action(Key(_NOTES, name), _IS_OURS)

    def loose_action(self, name: str) -> Action:
        """Give the action that belongs to the deletion of an object's item."""
        note: dict[str, Any] = {HASH_KEY: _NOTES, RANGE_KEY: name, "since_s": 0, "claimed": 1}
        return self._table.put_action(note)

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects that are claimed, and then what says so."""
        for name in names:
            self._delete(self._prefix + name)
            self._table.delete(Key(_NOTES, name))

    def discard(self, names: Iterable[str]) -> None:
        """Remove objects that were added and are not needed, unless others do so."""
        self.remove([name for name in names if self._claim(name)])

    def remove_loose(self, folder: str = "", before_s: float | None = None) -> None:
        """
        Remove what belongs to no item.

        Args:
            folder: what names begin with.
            before_s: only what has been loose since before that; None for all.
        """
        if self.bucket is None:
            return
        for note in self._table.query(_NOTES, folder or "!", f"{folder}\x7f"):
            is_claimed = "claimed" in note
            if not is_claimed and before_s is not None and note.get("since_s", 0) > before_s:
                continue
            if is_claimed or self._claim(note[RANGE_KEY]):
                self.remove([note[RANGE_KEY]])

    def remove_old(self) -> None:
        """Remove what crashes have left."""
        self.remove_loose(before_s=self._calls.now_s() - _LOOSE_S)

    def close(self) -> None:
        """Close the client."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _claim(self, name: str) -> bool:
        return self._table.update(Key(_NOTES, name), "SET #claimed = :one", {"one": 1}, _IS_OURS)

    def _delete(self, key: str) -> None:
        """Delete all versions of an object; a bucket without versions has one, `null`."""
        marker: dict[str, str] = {}
        while True:
            answer = self._call("list_object_versions", None, Prefix=key, **marker)
            found = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
            for version in found:
                if version["Key"] == key:
                    self._call("delete_object", None, Key=key, VersionId=version["VersionId"])
            if not answer.get("IsTruncated"):
                return
            marker = _next_marker(answer)

    def _call(self, operation: str, read: Callable[[Any], Any] | None, **arguments: Any) -> Any:
        """Make a call; what reads its answer's body belongs to the attempt."""
        from botocore.exceptions import ClientError

        if self.bucket is None:
            raise UsageError(
                f"inbox {self._calls.name} has objects in a bucket: name it with ?bucket="
            )
        if self._client is None:
            self._client = self._make_client()
        method = getattr(self._client, operation)
        function = method if read is None else lambda **given: read(method(**given))
        words = "".join(word.capitalize() for word in operation.split("_"))
        try:
            return self._calls.call(function, f"s3:{words}", Bucket=self.bucket, **arguments)
        except InboxFileError as exc:
            cause = exc.__cause__
            if isinstance(cause, ClientError) and code_of(cause) == "NoSuchKey":
                raise GoneError from exc
            raise


def _read_whole(answer: Any) -> bytes | None:
    """Read an object; None when it is too long to be one of ours."""
    body = answer["Body"]
    if answer["ContentLength"] <= MOST_BYTES:
        return bytes(body.read())
    body.close()
    return None


def _next_marker(answer: Mapping[str, Any]) -> dict[str, str]:
    fields: Sequence[tuple[str, str]] = (
        ("KeyMarker", "NextKeyMarker"),
        ("VersionIdMarker", "NextVersionIdMarker"),
    )
    return {name: answer[given] for name, given in fields if answer.get(given)}
