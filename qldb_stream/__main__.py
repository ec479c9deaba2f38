"""Run the command as `python -m qldb_stream`."""

from __future__ import annotations

import sys

from qldb_stream.cli import main

sys.exit(main())
