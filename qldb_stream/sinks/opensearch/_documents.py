"""
What is written: names of indices, their templates, and the documents. Pure.

    PREFIX-qldb-current-TABLE  the newest revision of each document, also of what was deleted
    PREFIX-TABLE               an alias of it that shows living documents only
    PREFIX-qldb-history        each revision
    PREFIX-qldb-position       position and fencing token of each strand

QLDB's tables have no hyphen in their names (facts 5.1), so no alias can be one of the others. A
write has an external version that rises with the document's and with a redaction of it; a
delete is a document that says so (a tombstone), since OpenSearch forgets real deletes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from qldb_stream.events import Block, Revision, RevisionKind
from qldb_stream.formulas import hash_data
from qldb_stream.sinks._relational import UNKNOWN_TABLE, JsonWriter, time_text

__all__ = [
    "FORMAT",
    "Action",
    "Indices",
    "block_actions",
    "redacted",
    "redacted_action",
    "stub_action",
]

FORMAT: Final = 1
_VERIFIED: Final = "verified"  # the pipeline delivers no other blocks
_WITH_DATA: Final = frozenset({RevisionKind.INSERT.value, RevisionKind.UPDATE.value})
_GONE: Final = frozenset({RevisionKind.DELETE, RevisionKind.WITHHELD})
_OTHER: Final = re.compile(r"[^a-z0-9_]")
_MAX_TABLE: Final = 128  # characters of a table's name, facts 5.1; an index has 255 bytes

Document = Mapping[str, Any]


@attrs.frozen
class Indices:
    """Names indices, and says what they are made with."""

    prefix: str

    @property
    def position(self) -> str:
        """Name the index of positions."""
        return f"{self.prefix}-qldb-position"

    @property
    def history(self) -> str:
        """Name the index of all revisions."""
        return f"{self.prefix}-qldb-history"

    @property
    def all_current(self) -> str:
        """Give the pattern of all indices of current documents."""
        return f"{self.prefix}-qldb-current-*"

    def current(self, table_name: str) -> str:
        """Name the index of a table's documents; tables that differ in case share one."""
        return self.all_current.replace("*", _as_name(table_name))

    def template(self, index: str) -> dict[str, Any]:
        """Give the index template of one of these indices."""
        if index == self.position:
            made: dict[str, Any] = {"mappings": {"dynamic": False}}
        elif index == self.history:
            made = {"mappings": _mappings({"type": "object", "enabled": False})}
        else:
            alias = index.replace("-qldb-current-", "-", 1)
            living = {"filter": {"term": {"qldb.living": True}}}
            made = {"mappings": _mappings(_SEARCHED), "aliases": {alias: living}}
        made["settings"] = {"number_of_shards": 1}
        return {"index_patterns": [index], "priority": 100, "template": made}


def _as_name(table_name: str) -> str:
    return _OTHER.sub("-", table_name.lower())[:_MAX_TABLE]


_SEARCHED: Final = {"type": "object", "dynamic": True}
_KEYWORDS: Final = ("strand_id", "document_id", "kind", "tx_id", "table", "table_id", "masked")
_KEPT: Final = ("hash", "data_hash", "block_hash", "verification")


def _mappings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give the mappings of an index of revisions, in which documents are as is said."""
    own = {name: {"type": "keyword"} for name in _KEYWORDS}
    kept = {name: {"type": "keyword", "index": False} for name in _KEPT}
    numbers = {name: {"type": "long"} for name in ("sequence_no", "version")}
    flags = {name: {"type": "boolean"} for name in ("living", "erased")}
    qldb = {**own, **kept, **numbers, **flags, "tx_time": {"type": "date"}}
    return {
        "dynamic": False,
        "date_detection": False,  # texts that look like dates are texts
        "properties": {
            "qldb": {"dynamic": False, "properties": qldb},
            "ion": {"type": "binary"},
            "document": document,
            "unindexed": {"type": "object", "enabled": False},
        },
    }


@attrs.frozen
class Action:
    """
    One document to be written.

    `version` is external: what has a higher one stays. `fallback` is written where `body` does
    not fit the mapping; `erased` where a redaction of the revision came before it.
    """

    index: str
    id: str
    version: int
    body: str = attrs.field(repr=False)
    fallback: str | None = attrs.field(default=None, repr=False)
    erased: str | None = attrs.field(default=None, repr=False)
    sequence_no: int = -1

    def lines(self) -> str:
        """Give the two lines of a bulk request."""
        head = {
            "_index": self.index,
            "_id": self.id,
            "version": self.version,
            "version_type": "external_gte",
        }
        return f'{{"index":{json.dumps(head)}}}\n{self.body}\n'


def history_id(document_id: str, version: int) -> str:
    """Name a revision."""
    return f"{document_id}-{version}"


def block_actions(indices: Indices, block: Block) -> list[Action]:
    """
    Give what a block writes, redactions of older revisions apart.

    Raises:
        DecodeError: a document cannot be read.
    """
    found = []
    for revision in block.revisions:
        if revision.metadata is not None:
            found += _actions(indices, block, revision)
    return found


def _actions(indices: Indices, block: Block, revision: Revision) -> list[Action]:
    metadata, number = revision.metadata, block.address.sequence_no
    assert metadata is not None
    own = _own(block, revision)
    is_redacted = revision.kind is RevisionKind.REDACTED
    parts: dict[str, str] = {}
    if revision.data_ion is not None and not revision.is_withheld:
        ion = base64.b64encode(revision.data_ion.to_bytes()).decode()
        parts = {"ion": json.dumps(ion), "document": _json(revision.data)}
    history = Action(
        indices.history,
        history_id(metadata.id, metadata.version),
        1 + is_redacted,
        _body({"qldb": json.dumps(own)} | parts),
        erased=json.dumps({"qldb": redacted(own)}),
        sequence_no=number,
    )
    shown = {"qldb": json.dumps(own | {"living": revision.kind not in _GONE})}
    current = Action(
        indices.current(own["table"]),
        metadata.id,
        2 * metadata.version + is_redacted,
        _body(shown | parts if _is_struct(parts) else shown | _unindexed(parts)),
        fallback=_body(shown | _unindexed(parts)) if parts else None,
        sequence_no=number,
    )
    return [history, current]


def _body(parts: Mapping[str, str]) -> str:
    """Join parts that are JSON already; digits stay as they are."""
    return "{" + ",".join(f'"{name}":{text}' for name, text in parts.items()) + "}"


def _is_struct(parts: Mapping[str, str]) -> bool:
    return parts.get("document", "{").startswith("{")


def _unindexed(parts: Mapping[str, str]) -> dict[str, str]:
    """Put the document where its fields are kept and not searched."""
    if not parts:
        return {}
    return {"ion": parts["ion"], "unindexed": f'{{"document":{parts["document"]}}}'}


def _json(data: Any) -> str:
    return JsonWriter(takes_nul=True).write(data)


def _own(block: Block, revision: Revision) -> dict[str, Any]:
    """Give what the sink itself says of a revision."""
    metadata, address = revision.metadata, block.address
    assert metadata is not None
    table, data_hash = revision.table or UNKNOWN_TABLE, hash_data(revision)
    found = {
        "strand_id": address.strand_id,
        "sequence_no": address.sequence_no,
        "document_id": metadata.id,
        "version": metadata.version,
        "kind": revision.kind.value,
        "hash": revision.hash.hex(),
        "data_hash": None if data_hash is None else data_hash.hex(),
        "tx_id": metadata.tx_id,
        "tx_time": time_text(metadata.tx_time),
        "block_hash": block.block_hash.hex(),
        "verification": _VERIFIED,
        "table": table.table_name,
        "table_id": table.table_id,
    }
    if revision.masked:
        found["masked"] = list(revision.masked)
    return found


# --- redactions ----------------------------------------------------------------------------


def redacted(own: Document) -> dict[str, Any]:
    """Give what the sink says of a revision whose data were taken out."""
    kind = own.get("kind")
    is_data = kind in _WITH_DATA
    return {**own, "kind": RevisionKind.REDACTED.value if is_data else kind, "erased": True}


def redacted_action(index: str, name: str, source: Document, *, is_history: bool) -> Action:
    """Give what takes the data out of a document that stands in an index."""
    own = redacted(source["qldb"])
    version = 2 if is_history else 2 * int(own["version"]) + 1
    return Action(index, name, version, json.dumps({"qldb": own}))


def stub_action(indices: Indices, document_id: str, version: int) -> Action:
    """Give what keeps the place of a redacted revision that is not here: it comes redacted then."""
    own = {"document_id": document_id, "version": version, "erased": True}
    return Action(indices.history, history_id(document_id, version), 2, json.dumps({"qldb": own}))
