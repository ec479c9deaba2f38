"""The face of the package: every public name, and what importing it costs."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import qldb_stream


@pytest.mark.parametrize("name", qldb_stream.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Each name of `__all__` can be imported from the top, and is listed by dir()."""
    assert getattr(qldb_stream, name) is not None
    assert name in dir(qldb_stream)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Looking up a name that is not there fails as in any other module."""
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = qldb_stream.no_such_name


@pytest.mark.parametrize("module", ["boto3", "sqlite3", "click", "pyqldb"])
def test_importing_the_package_imports_no_edge(module: str) -> None:
    """The package and its sans-IO names need no client, database or command."""
    code = (
        "import sys, qldb_stream\n"
        "from qldb_stream import parse_kinesis_event, verify_block, Sequencer\n"
        f"sys.exit({module!r} in sys.modules)"
    )
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


@pytest.mark.parametrize(
    "name",
    ["pipeline", "report", "sources", "verification", "verification.diagnosis"],
)
def test_every_name_of_a_face_has_a_home(name: str) -> None:
    """What a package imports on first use is there, and nothing else is an attribute."""
    package = importlib.import_module(f"qldb_stream.{name}")
    found = {public: getattr(package, public) for public in package.__all__}

    assert None not in found.values()
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = package.no_such_name


def test_a_process_that_verifies_with_others_imports_what_it_needs() -> None:
    """No client, nothing that diagnoses and no report of other things: its start is waited for."""
    code = (
        "import sys, qldb_stream.sources._elsewhere, qldb_stream.pipeline._at_sight\n"
        "print(*(name for name in sys.modules if name.startswith('qldb_stream')))\n"
        "print(*(name for name in ('http.client', 'ssl', 'click') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    ours, others = done.stdout.splitlines()

    assert [] == others.split()
    for room in ("clients", "verification.diagnosis._", "report._coverage", "pipeline._core"):
        assert f"qldb_stream.{room}" not in ours
