"""How often things are done while a stream is read; all times in seconds."""

from __future__ import annotations

import attrs

from qldb_stream.errors import UsageError

__all__ = ["KinesisSettings"]


@attrs.frozen
class KinesisSettings:
    """
    How often things are done, and how long is waited.

    Args:
        poll_s: between two reads of a shard that had nothing new.
        pause_s: between two reads of a shard that has more. Kinesis answers five a second for
            each shard, to all who read it together.
        scan_s: between two looks at which shards there are, and who else reads them.
        checkpoint_s: how often what was acknowledged is stored; so much comes again, and falls
            out in the inbox, when the process dies.
        idle_s: how often it is stored that a shard had nothing.
        lease_s: how long a shard of a process that died is left alone.
        patience_s: how long Kinesis or the inbox may fail before `items` does.
        most_records: how many records one read asks for, at most 10,000; it has 10 MB at most.
        most_waiting: how many records may be given and not acknowledged.

    Raises:
        UsageError: a number is not above 0.
    """

    poll_s: float = 1.0
    pause_s: float = 0.25
    scan_s: float = 10.0
    checkpoint_s: float = 1.0
    idle_s: float = 30.0
    lease_s: float = 30.0
    patience_s: float = 600.0
    most_records: int = 1_000
    most_waiting: int = 20_000

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense."""
        for field in attrs.fields(KinesisSettings):
            value = getattr(self, field.name)
            if not value > 0:
                raise UsageError(f"KinesisSettings: {field.name} is {value}, it must be above 0")
