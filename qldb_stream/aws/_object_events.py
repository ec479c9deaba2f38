"""
Which objects an event names: S3's own form, EventBridge's, and either of them in SQS.

S3 sends keys as in a form (a blank is a plus sign, the rest percent-encoded), EventBridge
sends them as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

import attrs

from qldb_stream.clients.s3_objects import StoredObject
from qldb_stream.errors import UsageError

__all__ = ["Message", "PrefixRun", "read_messages", "read_objects", "read_prefix_run"]

# S3 sends one record, SQS at most 10,000 messages in a batch.
_MAX_RECORDS: Final = 10_000
_MAX_KEY_BYTES: Final = 1024
# A name, or the ARN of an access point.
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}")
_CREATED: Final = "Object Created"
_FORMS: Final = (
    "an event of S3 or EventBridge about created objects, either of them in SQS, or "
    '{"bucket": ..., "prefix": ...}'
)


@attrs.frozen
class Message:
    """A message of SQS: what acknowledges it, and the event in it."""

    message_id: str
    body: str


@attrs.frozen
class PrefixRun:
    """
    A run over everything below a prefix, and how far it has come.

    All keys up to `after` are taken, and of the next object `skip` items, if it has the entity
    tag `etag`. `objects`, `missing` and `applied` count over all calls. Objects of exports in JSON
    come last, in a second round over the same keys, since what is delivered is never taken
    back: `json_round` is 0 while none of them was met, 1 when some are left for it, 2 in it.
    """

    bucket: str
    prefix: str = ""
    after: str = ""
    skip: int = 0
    etag: str = ""
    objects: int = 0
    missing: int = 0
    applied: int = 0
    json_round: int = 0


def read_messages(event: Mapping[str, Any]) -> tuple[Message, ...] | None:
    """
    Read a batch of SQS; None when it is none.

    Raises:
        UsageError: a message has no id or no body, or there are too many.
    """
    records = _records_of(event)
    if not records or _text(records[0], "eventSource") != "aws:sqs":
        return None
    found = [Message(_text(each, "messageId"), _text(each, "body")) for each in records]
    if not all(message.message_id for message in found):
        raise UsageError("a message of SQS without messageId")
    return tuple(found)


def read_objects(event: object) -> tuple[StoredObject, ...]:
    """
    Read the objects that an event tells of; none of S3's test event and of removals.

    Raises:
        UsageError: it is no such event.
    """
    if isinstance(event, str):
        event = _json(event)
    if not isinstance(event, Mapping):
        raise UsageError(f"expected {_FORMS}, found {type(event).__name__}")
    if event.get("Event") == "s3:TestEvent":
        return ()
    if "detail-type" in event:
        return _of_event_bridge(event)
    records = _records_of(event)
    if records is None:
        raise UsageError(f"expected {_FORMS}, found an object without any of that")
    return tuple([_of_s3(each) for each in records if _is_creation(each)])


def read_prefix_run(event: Mapping[str, Any]) -> PrefixRun | None:
    """
    Read the order to take a whole prefix, or to go on with it; None when it is none.

    Raises:
        UsageError: a part of it is of another type.
    """
    if "bucket" not in _mapping(event):
        return None
    said: dict[str, Any] = {}
    for field in attrs.fields(PrefixRun):
        value = event.get(field.name)
        if value is None:
            continue
        is_number = field.type in {"int", int}
        is_right = type(value) is (int if is_number else str)
        if not is_right or (value < 0 if is_number else not _is_key(value)):
            raise UsageError(f"{field.name} of a run over a prefix is {value!a:.40}")
        said[field.name] = value
    if not _BUCKET.fullmatch(said.get("bucket", "")):
        raise UsageError("a run over a prefix needs a bucket")
    return PrefixRun(**said)


def _of_event_bridge(event: Mapping[str, Any]) -> tuple[StoredObject, ...]:
    if event["detail-type"] != _CREATED:
        return ()
    detail = _mapping(event.get("detail"))
    found = _mapping(detail.get("object"))
    bucket = _mapping(detail.get("bucket")).get("name")
    return (_checked(bucket, found.get("key"), found.get("version-id")),)


def _is_creation(record: object) -> bool:
    name = _text(record, "eventName")
    return not name or name.removeprefix("s3:").startswith("ObjectCreated")


def _of_s3(record: object) -> StoredObject:
    s3 = _mapping(_mapping(record).get("s3"))
    found = _mapping(s3.get("object"))
    key = found.get("key")
    decoded = unquote_plus(key) if isinstance(key, str) else key
    return _checked(_mapping(s3.get("bucket")).get("name"), decoded, found.get("versionId"))


def _checked(bucket: object, key: object, version: object) -> StoredObject:
    if not (isinstance(bucket, str) and _BUCKET.fullmatch(bucket)):
        raise UsageError(f"an event without the name of a bucket; expected {_FORMS}")
    if not (isinstance(key, str) and key and _is_key(key)):
        raise UsageError(f"an event without the key of an object; expected {_FORMS}")
    if version is not None and not (isinstance(version, str) and _is_key(version)):
        raise UsageError(f"an event with a version that is none; expected {_FORMS}")
    return StoredObject(bucket, key, version or None)


def _is_key(text: str) -> bool:
    """Say whether S3 can have such a key; JSON may hold half of a pair of surrogates."""
    try:
        return len(text.encode()) <= _MAX_KEY_BYTES
    except UnicodeEncodeError:
        return False


def _records_of(event: object) -> Sequence[Any] | None:
    records = _mapping(event).get("Records")
    if not isinstance(records, list | tuple):
        return None
    if len(records) > _MAX_RECORDS:
        raise UsageError(f"{len(records)} records at once, expected at most {_MAX_RECORDS}")
    return records


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _text(record: object, name: str) -> str:
    value = _mapping(record).get(name)
    return value if isinstance(value, str) else ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"expected {_FORMS}, found no JSON") from exc
