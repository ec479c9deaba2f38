"""
CloudEvents 1.0 in JSON: the envelope of each message.

Required attributes and the extensions `partitionkey` and `dataref` are those of
https://github.com/cloudevents/spec (spec.md, extensions/partitioning.md, extensions/dataref.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import attrs

from qldb_stream.sinks._messages import Message

__all__ = ["Event", "make_event"]

_TYPE: Final = "qldb."
_MILLISECONDS: Final = "milliseconds"


@attrs.frozen
class Event:
    """
    An event, ready to be sent.

    `id` is the message's key. What has one `group` is taken in order, where there is order.
    """

    id: str
    type: str
    group: str
    body: str = attrs.field(repr=False)

    @property
    def size(self) -> int:
        """Give the bytes of the body, which is ASCII."""
        return len(self.body)


def make_event(source: str, message: Message, claim: str | None = None) -> Event:
    """
    Put a message into its envelope.

    Args:
        source: what the event names as its source.
        message: what it says.
        claim: where its document is, when that is not in the event.
    """
    kind = f"{_TYPE}{message.type.value}"
    data = message.as_json(with_data=claim is None)
    head = json.dumps(_attributes(source, kind, message, claim), separators=(",", ":"))
    return Event(message.key, kind, message.group, f'{head[:-1]},"data":{data}}}')


def _attributes(source: str, kind: str, message: Message, claim: str | None) -> Mapping[str, str]:
    fields = message.fields
    subject = fields.get("documentId") or fields.get("table") or fields.get("tableId")
    moment = message.time.isoformat(timespec=_MILLISECONDS)
    found = {
        "specversion": "1.0",
        "id": message.key,
        "source": source,
        "type": kind,
        "subject": str(subject),
        "time": moment.replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "partitionkey": message.group,
    }
    return found if claim is None else found | {"dataref": claim}
