"""The strategies and the extra that they need."""

from __future__ import annotations

import subprocess
import sys


def test_without_hypothesis_it_says_what_to_install() -> None:
    """The import fails with the extra's name; the rest of the test tools needs nothing."""
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import qldb_stream.testing\n"
        "import qldb_stream.testing.strategies"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert 1 == done.returncode
    assert done.stderr.endswith(
        "ModuleNotFoundError: qldb_stream.testing.strategies needs Hypothesis: "
        "pip install 'qldb-stream[testing]'\n"
    )
