"""Sentences that terminal and page say alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qldb_stream.report._coverage import CoverageReport
    from qldb_stream.report._runs import VerifyReport

__all__ = ["count", "describe_coverage", "unchecked_rows"]

_NAMED = 3  # documents in a row; reports have more of them


def count(number: int, noun: str) -> str:
    """Say how many of a thing: `1 block`, `2,000 blocks`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def unchecked_rows(report: VerifyReport) -> Iterator[tuple[int, str, str | None]]:
    """Say how often, and why, something was not checkable; and of which documents first."""
    for reason, times in report.not_checkable.items():
        found = [one for one in report.unchecked if one.reason == reason]
        named = [f"{one.document_id} in block {one.sequence_no}" for one in found[:_NAMED]]
        more = [f"and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
        yield times, reason, ", ".join([*named, *more]) or None


def describe_coverage(report: CoverageReport) -> str:
    """Say in one sentence what a coverage report came to."""
    held = f"{count(report.blocks, 'block')} held whole"
    since = _since(report)
    if report.ok:
        return f"{held}, none known to be missing{since}"
    wrong = [
        f"{report.missing_blocks:,} missing{since}" if report.missing_blocks else "",
        count(len(report.conflicts), "conflict") if report.conflicts else "",
        count(len(report.problems), "problem") if report.problems else "",
        "" if all(each.ok for each in report.manifests) else "not all that manifests promise",
    ]
    return f"{held}; {', '.join(filter(None, wrong))}"


def _since(report: CoverageReport) -> str:
    """Say from which block on anything was missed, where that is not the ledger's first."""
    begins = sorted({strand.expected_first for strand in report.strands})
    if begins in ([], [0]):
        return ""
    return f" from block {' or '.join(f'{n:,}' for n in begins[:3])} on, as was asked"
