"""
Fixtures and rules that every test shares.

- `vectors` is the folder with genuine QLDB bytes; it is never copied into the project.
- Where a skipped test is a failure (CI, or QLDB_STREAM_NO_SKIP=1), a skip becomes one here.
- Hypothesis runs without deadlines, because a shared machine's clock proves nothing, and
  prints the blob that repeats a failure.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
NO_SKIP = IN_CI or os.environ.get("QLDB_STREAM_NO_SKIP") == "1"

settings.register_profile(
    "dev",
    deadline=None,
    print_blob=True,
    # A generator that is slow on a busy machine says nothing about the law under test.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", parent=settings.get_profile("dev"), database=None)
settings.load_profile(os.environ.get("QLDB_STREAM_HYPOTHESIS", "ci" if IN_CI else "dev"))


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of genuine test data: QLDB_STREAM_VECTORS, or ../shared/vectors."""
    folder = Path(
        os.environ.get("QLDB_STREAM_VECTORS", REPOSITORY.parent / "shared" / "vectors"),
    )
    if not folder.is_dir():
        pytest.skip("no vectors: set QLDB_STREAM_VECTORS to the folder that holds them")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module into a failure where none is allowed."""
    report = yield
    if NO_SKIP and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped where no test may be: {collector.nodeid}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where none is allowed; an expected failure stays one."""
    report = yield
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where no test may be: {item.nodeid}: {call.excinfo}"
    return report
