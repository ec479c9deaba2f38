"""What one value may have been: of another type, with other annotations, or not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from qldb_stream.ion import HashNode, IonSlice, IonType, annotated_form, hash_form
from qldb_stream.verification.diagnosis._candidate import Candidate
from qldb_stream.verification.diagnosis._losses import iter_losses

__all__ = ["iter_around", "iter_left_out", "iter_options"]

_MOST_ANNOTATIONS: Final = 64
_SYSTEM_SYMBOLS: Final = 10


def iter_options(node: HashNode) -> Iterator[Candidate]:
    """Iterate over what a node may have been before its type was lost, by rules."""
    value = node.value
    if value.ion_type in (IonType.LIST, IonType.SEXP) and not value.is_null:
        yield from _iter_kinds_of_lists(node)
        return
    if value.ion_type is IonType.STRUCT and not value.is_null:
        return
    for loss, values in iter_losses(value):
        for known in values:
            yield Candidate.of(node, loss.code, loss.wanted, known)


def _iter_kinds_of_lists(node: HashNode) -> Iterator[Candidate]:
    if node.value.annotations:
        return
    if node.value.ion_type is IonType.LIST:
        yield Candidate(
            "LIST_FOR_SEXP", "a sexp, not a list", _with_kind(0xC0), "sexp", kind=IonType.SEXP
        )
    else:
        yield Candidate(
            "SEXP_FOR_LIST", "a list, not a sexp", _with_kind(0xB0), "list", kind=IonType.LIST
        )


def _with_kind(type_qualifier: int) -> Callable[[bytes], bytes]:
    return lambda form: bytes((0x0B, type_qualifier)) + form[2:]


def iter_around(node: HashNode) -> Iterator[Candidate]:
    """Iterate over a value without its annotations, with others, and left out."""
    value = node.value
    yield from iter_left_out(node)
    if not value.annotations:
        texts = value.symbols.texts[_SYSTEM_SYMBOLS : _SYSTEM_SYMBOLS + _MOST_ANNOTATIONS]
        for text in dict.fromkeys(texts):
            yield Candidate("ANNOTATION", "annotated", _annotating(text), "annotated with", text)


def iter_left_out(node: HashNode) -> Iterator[Candidate]:
    """Iterate over a value without its annotations, and left out itself."""
    value = node.value
    if value.annotations:
        bare = IonSlice(value.buf, value.value_start(), value.end, value.symbols)
        yield Candidate("ANNOTATION", "without annotations", hash_form(bare))
    if node.index:
        yield Candidate("ADDED", "not there", b"")


def _annotating(text: str | None) -> Callable[[bytes], bytes]:
    return lambda form: annotated_form([text], form)
