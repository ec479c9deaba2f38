"""The sink keeps what it promises: the conformance kit of qldb-stream says so."""

from qldb_stream_history import read_back

from qldb_stream.testing import check_sink


def test_it_passes_the_kit() -> None:
    """Whatever crashes, repeats or fights for a strand, each revision is there once."""
    report = check_sink("history:{tmp}/x.db", read_back)
    assert ("exactly once", "erases") == (report.badge.guarantee, report.badge.erase)
