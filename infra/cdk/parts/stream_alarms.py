"""What is watched in the stream's stack."""

from __future__ import annotations

from aws_cdk import (
    Duration,
    aws_cloudwatch as cloudwatch,
    aws_kinesis as kinesis,
    aws_kinesisfirehose as firehose,
)

from parts.replay import Replay
from parts.watch import Watch, Watched, errors, of_function
from settings import Settings

# Firehose writes after 5 minutes at the latest; four times that is late.
_ARCHIVE_LATE_S = 1200


def watch_stream(
    watch: Watch,
    settings: Settings,
    stream: kinesis.IStream,
    replay: Replay,
    archive: firehose.CfnDeliveryStream,
) -> None:
    """Make the alarms and the dashboard."""
    age = replay.replay.metric("IteratorAge", statistic="Maximum", period=Duration.minutes(1))
    late = cloudwatch.Metric(
        namespace="AWS/Firehose",
        metric_name="DeliveryToS3.DataFreshness",
        dimensions_map={"DeliveryStreamName": archive.ref},
        statistic="Maximum",
        period=Duration.minutes(5),
    )
    for watched in _watched(settings, replay, age, late):
        watch.alarm(watched)
    watch.dashboard(
        {
            "Behind (ms)": [age],
            "Seconds from commit to delivery": [of_function(replay.replay, "LagSeconds")],
            "Records in": [
                stream.metric_incoming_records(),
                of_function(replay.replay, "Records", statistic="Sum"),
                of_function(replay.replay, "RecordsQuarantined", statistic="Sum"),
            ],
            "Blocks applied": [
                of_function(replay.replay, "BlocksApplied", statistic="Sum"),
                of_function(replay.drain, "BlocksApplied", statistic="Sum"),
            ],
            "Strands": [
                of_function(replay.drain, name)
                for name in ("StrandsWaiting", "StrandsStopped", "StrandsFailed")
            ],
            "Archive: age of what is not written (s)": [late],
        }
    )


def _watched(
    settings: Settings, replay: Replay, age: cloudwatch.IMetric, late: cloudwatch.IMetric
) -> tuple[Watched, ...]:
    """Say what is watched, from where on it is an alarm, and what that means."""
    return (
        Watched(
            name="iterator-age",
            metric=age,
            above=settings.iterator_age_minutes * 60_000,
            periods=3,
            says="The replay is behind the stream.",
        ),
        errors("errors", "The functions fail.", replay.replay, replay.drain),
        Watched(
            name="stopped",
            metric=of_function(replay.drain, "StrandsStopped"),
            above=0,
            says="A strand has stopped: a conflict, a failed check, or a refused block.",
        ),
        Watched(
            name="gap",
            metric=of_function(replay.drain, "StrandsWaiting"),
            above=0,
            periods=6,
            says="A strand waits for a block that does not come.",
        ),
        Watched(
            name="parked",
            metric=of_function(replay.drain, "BlocksParkedNow"),
            above=0,
            says="Blocks that the destination refused are parked.",
        ),
        Watched(
            name="sink-away",
            metric=of_function(replay.drain, "StrandsFailed"),
            above=0,
            periods=3,
            says="The destination does not answer.",
        ),
        Watched(
            name="archive-late",
            metric=late,
            above=_ARCHIVE_LATE_S,
            periods=2,
            says="Firehose does not write the archive.",
        ),
    )
