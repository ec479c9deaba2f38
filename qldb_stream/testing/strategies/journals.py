"""
Draw whole journals.

A journal is its seed and shape, so it shrinks to fewer blocks and a plainer shape; what
it holds is left to the seed, unless documents are drawn as Ion values.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import strategies as st

from qldb_stream.report import DeleteRule
from qldb_stream.testing.journals import Journal, JournalShape, make_journal
from qldb_stream.testing.strategies.ion_values import ion_documents

__all__ = ["journal_shapes", "journals"]


@st.composite
def journal_shapes(draw: st.DrawFn, *, any_documents: bool = False) -> JournalShape:
    """
    Draw shapes of journals: small ones, with much of everything.

    Args:
        draw: given by Hypothesis.
        any_documents: let the documents hold every type of Ion value.
    """
    least = draw(st.integers(0, 2))
    share = st.sampled_from([0.0, 0.1, 0.5])
    document = None
    if any_documents and draw(st.booleans()):
        document = _Choice(draw(st.lists(ion_documents(), min_size=1, max_size=4)))
    return JournalShape(
        tables=draw(st.integers(1, 4)),
        least_revisions=least,
        most_revisions=least + draw(st.integers(0, 4)),
        updates=draw(share),
        deletes=draw(share),
        redactions=draw(share),
        system=draw(share),
        empty=draw(share),
        document=document,
        delete_rule=draw(st.sampled_from(DeleteRule)),
        erased=draw(st.booleans()),
    )


@st.composite
def journals(
    draw: st.DrawFn,
    *,
    least_blocks: int = 0,
    most_blocks: int = 20,
    any_documents: bool = False,
) -> Journal:
    """
    Draw journals with valid hashes, from block 0 on.

    Args:
        draw: given by Hypothesis.
        least_blocks: the fewest blocks.
        most_blocks: the most blocks.
        any_documents: let the documents hold every type of Ion value.
    """
    return make_journal(
        draw(st.integers(0, 2**32)),
        blocks=draw(st.integers(least_blocks, most_blocks)),
        shape=draw(journal_shapes(any_documents=any_documents)),
    )


class _Choice:
    """Makes documents by choosing among drawn ones."""

    def __init__(self, documents: Sequence[dict[str, Any]]) -> None:
        self._documents = documents

    def __call__(self, rng: Random, _table_name: str, _references: Sequence[str]) -> Any:
        return rng.choice(self._documents)

    def __repr__(self) -> str:
        return f"one of {self._documents!r}"
