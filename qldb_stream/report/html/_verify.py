"""The page of a verification: what was checked, what not, what is wrong, and what that proves."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from qldb_stream.report._claims import Claim
from qldb_stream.report._digest import DigestCheck
from qldb_stream.report._runs import Level, StrandReport, VerifyReport
from qldb_stream.report._wording import count, unchecked_rows
from qldb_stream.report.html._page import (
    make_facts,
    make_list,
    make_page,
    make_section,
    make_table,
    make_verdict,
)
from qldb_stream.report.html._shared import describe_ranges, problem_tables

__all__ = ["verify_page"]

_CHECKED: Final = (
    "each revision's hash, over its document and metadata",
    "the root over the revisions of each block, and that it is among the block's entries",
    "what each transaction ran, and what it redacted, against the block's entries",
    "each block's entries hash and block hash",
    "that each block names the hash of the one before it",
    "what is written in more than one place, against one another",
)


def verify_page(
    report: VerifyReport,
    names: Sequence[str],
    *,
    made_at: datetime,
    maker: str,
    failure: str | None = None,
) -> str:
    """
    Make the page of a verification.

    Args:
        report: what verification found.
        names: what was read.
        made_at: the time to print on it, aware, UTC.
        maker: the program and its version.
        failure: what ended it before its end, one sentence.

    Returns:
        One HTML document, which needs no other file and no network.
    """
    proves, limits = _claims(report, failure)
    parts = [
        make_verdict(ok=report.ok and failure is None, sentence=_sentence(report, failure)),
        make_facts(_facts(report, names)),
        make_section("Strands", _strands(report.strands)),
        make_section("Saved digests", _digests(report.digests)),
        make_section(
            "What was checked", make_list(_CHECKED if report.blocks else ("nothing: no block",))
        ),
        make_section("What could not be checked", _not_checkable(report)),
        make_section("Problems", *problem_tables(report.problems)),
        make_section("What this proves", make_list(proves)),
        make_section("What this does not prove", make_list(limits)),
    ]
    return make_page("Verification of an archive", parts, made_at=made_at, maker=maker)


def _sentence(report: VerifyReport, failure: str | None) -> str:
    seen = f"{count(report.blocks, 'block')} and {count(report.revisions, 'revision')}"
    end = "" if failure is None else f" It broke off: {failure}."
    if not report.ok:
        return f"{count(len(report.problems), 'problem')} found in {seen}.{end}"
    if report.level is Level.FULL:
        return f"{seen} verified in full.{end}"
    return f"{seen} verified as far as they can be checked.{end}"


def _facts(report: VerifyReport, names: Sequence[str]) -> Mapping[str, object]:
    return {
        "read": "; ".join(names),
        "level": report.level.value,
        "records, copies included": report.records,
        "blocks": report.blocks,
        "revisions": report.revisions,
        "of these redacted": report.redacted,
        "of these from JSON, with types put back": report.rebuilt,
        "problems": len(report.problems),
    }


def _strands(strands: Sequence[StrandReport]) -> object:
    rows = (
        (
            strand.strand_id,
            strand.first,
            strand.last,
            describe_ranges(strand.missing),
            None if strand.digest is None else base64.b64encode(strand.digest).decode(),
        )
        for strand in strands
    )
    columns = ("=strand", "#first", "#last", "missing between", "digest after the last (base64)")
    return make_table("What is here of each", columns, rows)


def _digests(digests: Sequence[DigestCheck]) -> object:
    rows = (
        (
            found.state.value,
            base64.b64encode(found.digest).decode(),
            found.strand_id,
            found.sequence_no,
            found.message,
        )
        for found in digests
    )
    columns = ("=how it compares", "digest (base64)", "=strand", "#up to block", "what that means")
    return make_table("Compared with what was recomputed", columns, rows)


def _not_checkable(report: VerifyReport) -> object:
    columns = ("#times", "because", "documents")
    return make_table("Neither verified nor refuted", columns, unchecked_rows(report))


def _claims(report: VerifyReport, failure: str | None) -> tuple[list[str], list[str]]:
    """Say what a report does and does not prove; nothing is proven by what broke off."""
    proves = [_said(claim) for claim in report.proves] if failure is None else []
    nothing = "Nothing of the archive as a whole: see the problems, or that there is no block."
    return proves or [nothing], [_said(claim) for claim in report.limits]


def _said(claim: Claim) -> str:
    sentence = f"{claim.sentence[:1].upper()}{claim.sentence[1:]}."
    return sentence if claim.strand_id is None else f"Strand {claim.strand_id}: {claim.sentence}."
