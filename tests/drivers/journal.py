"""Check what a server left behind."""

from __future__ import annotations

from pathlib import Path

from qldb_stream.ledger import Ledger
from qldb_stream.report import Outcome
from qldb_stream.verification import ChainVerifier


def check_ledger(path: Path) -> int:
    """Verify every block of a ledger file and its digest; give how many blocks there are."""
    verifier = ChainVerifier()
    count = 0
    with Ledger.open(path, read_only=True) as ledger:
        for block in ledger.blocks():
            checks = verifier.feed(block).checks
            assert [] == [check for check in checks if check.outcome is not Outcome.VERIFIED]
            count += 1
        assert ledger.digest().digest == verifier.digest(ledger.strand_id)
    return count
