"""
What a range of blocks should have left in a history beside what is there; pure.

Revisions are known by block, document and version. What has no partner under that key is
looked for by document and version (it stands at another block), then by block and document
(it has another version), before it is called missing or extra.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from qldb_stream.events import RevisionKind
from qldb_stream.reconcile._content import ContentDifference, DiffCode
from qldb_stream.report import StoredRevision

_Key: TypeAlias = tuple[int, str, int]

_MOST_FIELDS: Final = 20
"""How many altered fields of a document are named; a person reads fewer."""

_MOST_DEPTH: Final = 16
"""How deep a field is named; what differs further down is named by what it is in."""

_HIDDEN: Final = frozenset({RevisionKind.REDACTED, RevisionKind.WITHHELD})


def match_revisions(
    expected: Sequence[StoredRevision], found: Sequence[StoredRevision]
) -> Iterator[ContentDifference]:
    """
    Compare what is expected of some blocks with what a sink holds of them.

    Args:
        expected: in the order of the source.
        found: in the order in which the sink tells it, which must be that of blocks.

    Yields:
        Differences; first of order and of revisions on both sides, then of what is on one.
        Data that is redacted at the sink only is ERASED: whether a later block asks for
        that, the caller knows.
    """
    missing = {_key(one): one for one in expected}
    known = set(missing)
    spare: list[StoredRevision] = []
    last = -1
    for there in found:
        if there.sequence_no < last:
            yield ContentDifference.of(DiffCode.WRONG_ORDER, there)
        last = there.sequence_no
        ours = missing.pop(_key(there), None)
        if ours is not None:
            yield from compare_stored(ours, there)
        elif _key(there) in known:
            yield ContentDifference.of(DiffCode.TWICE, there)
        else:
            spare.append(there)
    yield from _match_spare(missing, spare)


def compare_stored(ours: StoredRevision, theirs: StoredRevision) -> Iterator[ContentDifference]:
    """Compare a revision with what a sink holds of it: at most one difference."""
    if hidden := hidden_by(ours, theirs):
        yield hidden
    elif ours.data is None and theirs.data is not None and ours.kind in _HIDDEN:
        yield ContentDifference.of(DiffCode.NOT_ERASED, ours)
    elif fields := altered_fields(ours, theirs):
        is_erased = theirs.kind is RevisionKind.REDACTED and theirs.data is None
        if is_erased and {"kind", "data"}.issuperset(fields):
            yield ContentDifference.of(DiffCode.ERASED, ours)
        else:
            yield ContentDifference.of(DiffCode.ALTERED, ours, fields=fields)


def hidden_by(ours: StoredRevision, theirs: StoredRevision) -> ContentDifference | None:
    """Say what the sink has masked or withheld and the source would put there in clear."""
    if ours.data is None:
        return None
    if theirs.kind is RevisionKind.WITHHELD:
        return ContentDifference.of(DiffCode.WITHHELD, ours)
    open_paths = [path for path in theirs.masked if not _covers(ours.masked, path)]
    fields = tuple([f"data.{path}" for path in open_paths[:_MOST_FIELDS]])
    return ContentDifference.of(DiffCode.MASKED, ours, fields=fields) if fields else None


def _covers(masked: Sequence[str], path: str) -> bool:
    """Say whether a path, or what it is in, is masked."""
    return any(path == one or path.startswith(f"{one}.") for one in masked)


def altered_fields(ours: StoredRevision, theirs: StoredRevision) -> tuple[str, ...]:
    """Name what differs between two forms of a revision, the first ones of it."""
    pairs = (
        ("table", ours.table, theirs.table),
        ("kind", ours.kind, theirs.kind),
        ("hash", ours.hash, theirs.hash),
        ("dataHash", ours.data_hash, theirs.data_hash),
    )
    found = [name for name, mine, other in pairs if mine != other]
    if ours.data != theirs.data:
        for path in _iter_paths(ours.data, theirs.data, "data", 0):
            found.append(path)
            if len(found) >= _MOST_FIELDS:
                break
    return tuple(found)


def _iter_paths(ours: Any, theirs: Any, path: str, depth: int) -> Iterator[str]:
    """Name the places at which two values differ."""
    if depth < _MOST_DEPTH and isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for name in sorted({*ours, *theirs}, key=str):
            inner = f"{path}.{name}"
            if name not in ours or name not in theirs:
                yield inner
            elif ours[name] != theirs[name]:
                yield from _iter_paths(ours[name], theirs[name], inner, depth + 1)
    elif depth < _MOST_DEPTH and _are_lists(ours, theirs):
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            if mine != other:
                yield from _iter_paths(mine, other, f"{path}[{index}]", depth + 1)
    else:
        yield path


def _are_lists(ours: Any, theirs: Any) -> bool:
    both = isinstance(ours, list) and isinstance(theirs, list)
    return both and len(ours) == len(theirs)


def _match_spare(
    missing: Mapping[_Key, StoredRevision], spare: Sequence[StoredRevision]
) -> Iterator[ContentDifference]:
    """Find partners for what stands alone on either side."""
    left = dict(missing)
    by_version = {(one.document_id, one.version): key for key, one in left.items()}
    by_block = {(one.sequence_no, one.document_id): key for key, one in left.items()}
    extra: list[StoredRevision] = []
    for there in spare:
        ours = left.pop(by_version.get((there.document_id, there.version), (-1, "", -1)), None)
        if ours is None:
            extra.append(there)
            continue
        moved = ContentDifference.of(DiffCode.WRONG_BLOCK, ours, found_no=there.sequence_no)
        yield hidden_by(ours, there) or moved
    for there in extra:
        ours = left.pop(by_block.get((there.sequence_no, there.document_id), (-1, "", -1)), None)
        if ours is None:
            yield ContentDifference.of(DiffCode.EXTRA, there)
        else:
            other = ContentDifference.of(DiffCode.WRONG_VERSION, ours, found_version=there.version)
            yield hidden_by(ours, there) or other
    for ours in left.values():
        yield ContentDifference.of(DiffCode.MISSING, ours)


def _key(stored: StoredRevision) -> _Key:
    return stored.sequence_no, stored.document_id, stored.version
