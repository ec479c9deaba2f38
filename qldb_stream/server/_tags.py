"""Tags of a ledger or a stream (facts 7): at most 50, bounded keys and values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from qldb_stream.server._call import Call, Plane
from qldb_stream.server._faults import invalid_parameter, not_found
from qldb_stream.server._metadata import STREAM

__all__ = ["list_tags", "read_tags", "tag_resource", "untag_resource"]

_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:qldb:[a-z0-9-]*:[0-9]*:(?:ledger/([^/]+)|stream/([^/]+)/([^/]+))"
)
_MOST_TAGS: Final = 50
# As AWS bounds tags everywhere.
_KEY_CHARACTERS: Final = 128
_VALUE_CHARACTERS: Final = 256


def read_tags(value: Any) -> dict[str, str]:
    """
    Read a member `Tags`.

    Raises:
        Fault: it is no object of texts, or one is too long.
    """
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise invalid_parameter("Tags", "Tags is an object of texts")
    for key, text in value.items():
        if not 0 < len(key) <= _KEY_CHARACTERS or len(text) > _VALUE_CHARACTERS:
            raise invalid_parameter(
                "Tags",
                f"a key has 1 to {_KEY_CHARACTERS}, a value to {_VALUE_CHARACTERS} characters",
            )
        if not (key + text).isprintable():
            raise invalid_parameter("Tags", "keys and values are printable")
    return _bounded(value)


def list_tags(plane: Plane, call: Call) -> dict[str, Any]:
    """List a ledger's tags."""
    return {"Tags": plane.ledgers.metadata.tags(_name(plane, call))}


def tag_resource(plane: Plane, call: Call) -> dict[str, Any]:
    """Add tags to a ledger, or change them."""
    name = _name(plane, call)
    tags = read_tags(call.body.get("Tags"))
    kept = plane.ledgers.metadata.tags(name)
    plane.ledgers.metadata.put_tags(name, _bounded(kept | tags))
    return {}


def untag_resource(plane: Plane, call: Call) -> dict[str, Any]:
    """Take tags from a ledger."""
    name = _name(plane, call)
    keys = call.query.get("tagKeys")
    if not keys:
        raise invalid_parameter("TagKeys", "TagKeys is missing")
    kept = plane.ledgers.metadata.tags(name)
    left = {key: value for key, value in kept.items() if key not in keys}
    plane.ledgers.metadata.put_tags(name, left)
    return {}


def _name(plane: Plane, call: Call) -> str:
    """Find what the ARN in the path names, and under which name its tags are kept."""
    found = _ARN.fullmatch(call.path["arn"])
    if found is None:
        raise invalid_parameter("ResourceArn", "the ARN is not that of a ledger or a stream")
    ledger, of_stream, stream_id = found.groups()
    plane.ledgers.settings(ledger or of_stream)  # there must be such a ledger
    if ledger is not None:
        return str(ledger)
    if plane.jobs.find(STREAM, of_stream, stream_id) is None:
        raise not_found("JournalKinesisStream", stream_id)
    return f"{of_stream}/{stream_id}"


def _bounded(tags: Mapping[str, str]) -> dict[str, str]:
    if len(tags) > _MOST_TAGS:
        raise invalid_parameter("Tags", f"there are at most {_MOST_TAGS} tags")
    return dict(tags)
