"""The process that is killed; see `qldb_stream.testing.kit._processes`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from qldb_stream.errors import Disposition, QldbStreamError
from qldb_stream.report import Guarantee
from qldb_stream.testing.kit._journals import long_journal
from qldb_stream.testing.kit._report import FindingError
from qldb_stream.testing.kit._subject import Subject
from qldb_stream.testing.kit._worker import Worker

__all__ = ["work"]


def work(order: Mapping[str, Any], out: IO[str]) -> None:
    """Deliver the long journal as an order says; say how far that went."""
    guarantee = Guarantee[order["guarantee"]]
    subject = Subject(order["target"], order["is_url"], guarantee=guarantee)
    blocks = long_journal()  # made before, so that a kill falls into the delivery
    try:
        place = Path(order["place"])
        worker = Worker(subject.open(place), place, guarantee, order["token"])
        print("open", file=out, flush=True)
        worker.deliver(blocks)
        worker.close()
    except (QldbStreamError, FindingError) as error:
        disposition = getattr(error, "disposition", Disposition.HALT).value
        text = " ".join(str(error).split())
        print(f"ended {disposition} {type(error).__name__}: {text}", file=out, flush=True)
    else:
        print("done", file=out, flush=True)


if __name__ == "__main__":
    work(json.load(sys.stdin), sys.stdout)
