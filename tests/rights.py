"""Files that may not be read, also where tests run as root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def no_rights(path: Path) -> Iterator[None]:
    """Take the right to read a path away; root has to become somebody else for that."""
    if os.geteuid() == 0:
        path.chmod(0o700)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        path.chmod(0)
        yield
        path.chmod(0o700)
