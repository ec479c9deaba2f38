"""The formulas of facts 2.5: what fits, what does not, and why."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from qldb_stream.events import RedactionInfo, Revision, TransactionInfo
from qldb_stream.formulas import (
    Fit,
    RevisionFault,
    SummaryFits,
    fit_summary,
    hash_revision_parts,
    maybe_delete_rule,
    revision_recomputes,
    summary_recomputes,
)
from qldb_stream.hashing import dot
from qldb_stream.ion import IVM, ion_hash, load_slice, to_slice
from qldb_stream.report import DeleteRule
from tests.verification.blocks import DELETE, INSERT, REDACTION, SYSTEM, garbage

REVISION = INSERT.revisions[0]
SOUND = SummaryFits(Fit.FITS, Fit.FITS, None, Fit.FITS, Fit.FITS)
LEAVES = [leaf.hash for leaf in INSERT.summary.revision_summaries]


def test_the_parts_of_a_revision_join_to_its_hash() -> None:
    """H(metadata) and H(data); of a delete there is no second one."""
    parts = hash_revision_parts(REVISION)
    assert isinstance(parts, tuple)
    assert parts[1] is not None
    assert REVISION.hash == dot(parts[0], parts[1])
    deleted = hash_revision_parts(DELETE.revisions[0])
    assert (DELETE.revisions[0].hash, None) == deleted


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"metadata": None}, RevisionFault.NO_METADATA),
        (
            {"metadata": attrs.evolve(REVISION.metadata, ion=garbage())},  # type: ignore[misc]  # it has one
            RevisionFault.METADATA_UNREADABLE,
        ),
        ({"data_ion": garbage()}, RevisionFault.DATA_UNREADABLE),
        ({"data_hash": bytes(32)}, RevisionFault.OTHER_DATA_HASH),
        ({"data_ion": None, "data_hash": b"short"}, RevisionFault.NO_DATA_HASH),
    ],
)
def test_what_cannot_be_joined_says_why(changes: dict[str, Any], fault: RevisionFault) -> None:
    """And such a revision does not recompute."""
    damaged: Revision = attrs.evolve(REVISION, **changes)
    assert fault is hash_revision_parts(damaged)
    assert not revision_recomputes(damaged)


@pytest.mark.parametrize(
    ("rule", "data_hash"),
    [
        (DeleteRule.METADATA_ONLY, b""),
        (DeleteRule.NULL_DATA, ion_hash(None)),
        (DeleteRule.NULL_STRUCT_DATA, load_slice(IVM + b"\xdf").hash()),
    ],
)
def test_each_rule_for_deletes_is_known(rule: DeleteRule, data_hash: bytes) -> None:
    """Three candidates, none of them confirmed (facts 1.4)."""
    assert rule is maybe_delete_rule(b"m" * 32, dot(b"m" * 32, data_hash))
    assert maybe_delete_rule(b"m" * 32, bytes(32)) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"transaction_info": None}, {"transaction_info": None}),
        ({"transaction_info": TransactionInfo(garbage())}, {"transaction_info": Fit.UNREADABLE}),
        ({"transaction_info": TransactionInfo(to_slice({}))}, {"transaction_info": Fit.WRONG}),
        (
            {"redaction_info": RedactionInfo(INSERT.summary.transaction_info.ion)},  # type: ignore[union-attr]  # it has one
            {"redaction_info": Fit.SHARED},
        ),
        (
            {"entries_hash_list": ()},
            {
                "revisions_root": Fit.WRONG,
                "transaction_info": Fit.WRONG,
                "entries_hash": Fit.UNREADABLE,
            },
        ),
        ({"entries_hash": bytes(32)}, {"entries_hash": Fit.WRONG, "block_hash": Fit.WRONG}),
        ({"previous_block_hash": b"short"}, {"block_hash": Fit.WRONG}),
    ],
)
def test_each_part_of_a_summary_fits_or_not(
    changes: dict[str, Any], expected: dict[str, Fit | None]
) -> None:
    """One part that does not fit says nothing of the others."""
    summary = attrs.evolve(INSERT.summary, **changes)
    fits = fit_summary(summary, LEAVES)
    assert attrs.asdict(SOUND) | expected == attrs.asdict(fits)
    assert (set(expected.values()) <= {None}) is fits.all_fit
    assert fits.all_fit is summary_recomputes(summary)


def test_leaves_that_are_no_digests_have_no_root() -> None:
    """A short leaf is an answer and no exception."""
    assert Fit.WRONG is fit_summary(INSERT.summary, [b"short"]).revisions_root
    assert fit_summary(INSERT.summary, []).revisions_root is None


def test_sound_summaries_recompute() -> None:
    """With a redaction, a delete, a leaf that only the system knows."""
    for block in (INSERT, DELETE, REDACTION, SYSTEM):
        assert summary_recomputes(block.summary)
