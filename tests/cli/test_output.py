"""What tables and last lines say about reports of every kind."""

from __future__ import annotations

import pytest

from qldb_stream.cli._output import (
    count,
    make_printable,
    print_problems,
    print_replay,
    print_verification,
)
from qldb_stream.report import (
    Problem,
    ProblemCode,
    ReplayReport,
    StrandReport,
    VerifyReport,
)

STRAND = StrandReport("s" * 22, 3, 9, ((5, 6),))
SEEN = VerifyReport(blocks=5, revisions=1, strands=(STRAND,), records=9)


def test_partial(capsys: pytest.CaptureFixture[str]) -> None:
    """What was not checkable is counted by reason, and the last line does not say `full`."""
    print_verification(VerifyReport(blocks=2000, not_checkable={"no rule": 7}, records=1))
    out = capsys.readouterr().out

    assert "no rule" in out
    assert "ok: 2,000 blocks, 0 revisions verified as far as they can be checked" in out


def test_full(capsys: pytest.CaptureFixture[str]) -> None:
    """A strand without a digest shows a dash, and its holes as ranges."""
    print_verification(SEEN)
    out = capsys.readouterr().out

    assert "5-6" in out
    assert "ok: 5 blocks, 1 revision verified in full" in out


def test_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets in a message are printed as they are, not taken as markup."""
    problem = Problem(ProblemCode.GAP, "blocks [bold]5[/bold] are missing [red]")
    print_verification(VerifyReport(problems=(problem,), records=1))

    assert "[bold]5[/bold] are missing [red]" in capsys.readouterr().out


def test_notes_of_a_replay(capsys: pytest.CaptureFixture[str]) -> None:
    """What a sink could not map is told in a sentence each."""
    print_replay(
        ReplayReport(
            SEEN,
            applied=5,
            redactions_pending=(("s", 4),),
            ids_unresolved=2,
            indexes_kept=(("s", 6, "Cars"),),
            left_out={"qldb_stream_ids": 3},
            redacted_copies=(("s", 2), ("s", 3)),
            strands_unmet=("t",),
            paths_unmet=("Nope.X",),
            not_atomic=(("s", 1),),
            given_up=1,
            still_parked=2,
            copies_erased=1,
        ),
        "ledger:x",
        has_failed=False,
    )
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]

    assert [
        "redaction pending: block s/4",
        "applied in parts, not atomically: block s/1",
        (
            "2 blocks that the sink has came with redacted revisions: 1 erased there, what it got "
            "in full of 1 block it still holds; `--json` lists them"
        ),
        "index kept that the source dropped: table Cars, block s/6",
        "2 ids at declared paths are no known document's",
        "--ids: no document that was applied has an id at the path Nope.X",
        "2 blocks came again that were parked before",
        "1 block given up before (`parked skip`) came again",
        "gap declared in vain: nothing came of strand t",
        "left out, as never replayed: qldb_stream_ids, 3 times",
        "ok: 5 blocks applied, 0 skipped",
    ] == lines[-11:]


def test_count() -> None:
    """One thing is singular, all other numbers are plural."""
    assert ["0 ids", "1 id", "2,000 ids"] == [count(n, "id") for n in (0, 1, 2000)]


def test_control_characters_are_shown() -> None:
    """What a terminal would obey is escaped, letters of all languages stay."""
    assert "a\\x1b[31m\\n\\u202eb" == make_printable("a\x1b[31m\n\u202eb")
    assert "Zoë 北京 [x]" == make_printable("Zoë 北京 [x]")


def test_no_control_character_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A journal's text in a table cannot give the terminal orders."""
    print_problems([Problem(ProblemCode.MISMATCH, "differs", "s" * 22, 1, "doc\x1b[2J", "txId")])

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "doc\\x1b[2J" in out
