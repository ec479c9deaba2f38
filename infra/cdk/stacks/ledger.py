"""The ledgers of AWS's own service, source and destination. Only with `qldb=true`."""

from __future__ import annotations

from aws_cdk import Stack, aws_qldb as qldb
from constructs import Construct

from parts.keys import make_key, removal
from parts.retired import accept_retired
from settings import Settings


class LedgerStack(Stack):
    """Two ledgers with one key, protected from deletion."""

    def __init__(self, scope: Construct, stack_id: str, settings: Settings) -> None:
        """Make the ledgers that the settings name."""
        super().__init__(scope, stack_id, description="qldb-stream: ledgers of Amazon QLDB")
        key = make_key(self, "ledgers", settings)
        names = {"Source": settings.ledger_name, "Destination": settings.destination_ledger_name}
        for which, name in names.items():
            ledger = qldb.CfnLedger(
                self,
                which,
                name=name,
                permissions_mode="STANDARD",
                deletion_protection=settings.retain,
                kms_key=key.key_arn,
            )
            ledger.apply_removal_policy(removal(settings))
            accept_retired(ledger)
