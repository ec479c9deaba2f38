"""
Where the server may write on a client's request: what its owner allowed, and nothing else.

A client names a bucket or a data stream; without these the server would be a way to write into its
machine and, with its credentials, into its account. S3 and Kinesis come from outside: their clients
are of this room's layer, so the command hands them in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from qldb_stream.errors import QldbStreamError
from qldb_stream.ledger import Environment, Folder, Ledger, ObjectStore
from qldb_stream.server._faults import Fault, invalid_parameter
from qldb_stream.server._metadata import Job

__all__ = ["OpenBucket", "StreamRequest", "Streams", "Targets"]

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; such a name is no
# path, no drive and no device of any system's.
_BUCKET: Final = re.compile(r"(?!.*\.\.)(?!.*\.-|.*-\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# S3's safe characters: no colon, which Windows reads as a drive, and nothing that is not printed.
_FOLDER_PREFIX: Final = re.compile(r"[A-Za-z0-9!_.*'()/-]*")

OpenBucket = Callable[[str, str, str | None], ObjectStore]
"""Gives a bucket for its name, ObjectEncryptionType and KmsKeyArn; no request is sent yet."""


@attrs.frozen
class StreamRequest:
    """
    A stream to carry out.

    Attributes:
        stream_id: 22 characters.
        stream_arn: the Kinesis data stream's.
        start_time: the earliest blockTimestamp, aware.
        end_time: what blockTimestamp stays below, aware; None for ever.
        aggregated: join a block's records into KPL frames.
        position: the file that keeps how far it has come.
    """

    stream_id: str
    stream_arn: str
    start_time: datetime
    end_time: datetime | None
    aggregated: bool
    position: Path


class Streams(Protocol):
    """Carries streams out; `qldb_stream.clients.kinesis.KinesisStreams` is one."""

    def stream(
        self,
        ledger: Ledger,
        order: StreamRequest,
        environment: Environment,
        should_stop: Callable[[], bool],
        on_sent: Callable[[], None],
    ) -> bool:
        """Put a journal on a data stream; tell whether that has reached its end."""

    def is_arn(self, text: str) -> bool:
        """Tell whether a text is the ARN of a data stream."""

    def cause(self, error: QldbStreamError) -> str | None:
        """Give the service's name for why a stream cannot go on, if it had one."""


@attrs.frozen
class Targets:
    """
    What the owner allowed.

    Attributes:
        exports: the folder whose sub-folders stand for buckets; made when absent.
        open_bucket: gives buckets of S3.
        streams: carries streams out.
    """

    exports: Path | None = None
    open_bucket: OpenBucket | None = None
    streams: Streams | None = None

    def check_exports(self) -> None:
        """
        Refuse exports when there is nowhere for them to go.

        Raises:
            Fault: so it is.
        """
        if self.exports is None and self.open_bucket is None:
            raise _refusal("S3ExportConfiguration", "exports", "--exports DIR or --allow-s3")

    def check_export(self, wanted: Mapping[str, Any]) -> None:
        """
        Refuse an export that has nowhere to go.

        Args:
            wanted: the checked S3ExportConfiguration.

        Raises:
            Fault: nothing is allowed, the bucket's name is none, or a folder cannot do it.
        """
        self.check_exports()
        if not _BUCKET.fullmatch(wanted["Bucket"]):
            raise invalid_parameter("Bucket", "a bucket's name has 3 to 63 of a-z, 0-9, - and .")
        if self._folder(wanted["Bucket"]) is None:
            return
        if not _FOLDER_PREFIX.fullmatch(wanted["Prefix"]):
            raise invalid_parameter("Prefix", "in a folder a prefix has letters, digits, !_.*'()-/")
        if wanted["EncryptionConfiguration"]["ObjectEncryptionType"] == "SSE_KMS":
            problem = "this server has no keys for a folder; let the disk below it encrypt"
            raise invalid_parameter("ObjectEncryptionType", problem)

    def open_export(self, job: Job) -> ObjectStore:
        """
        Give where an export goes.

        Raises:
            Fault: it is no longer allowed.
        """
        wanted = job.request["S3ExportConfiguration"]
        self.check_export(wanted)
        folder = self._folder(wanted["Bucket"])
        if folder is not None:
            return Folder(folder)
        assert self.open_bucket is not None, "check_export saw that it goes there"
        encryption = wanted["EncryptionConfiguration"]
        return self.open_bucket(
            wanted["Bucket"], encryption["ObjectEncryptionType"], encryption.get("KmsKeyArn")
        )

    def check_streams(self) -> Streams:
        """
        Give what carries streams out.

        Raises:
            Fault: nothing does.
        """
        if self.streams is None:
            raise _refusal("KinesisConfiguration", "streams", "--allow-kinesis")
        return self.streams

    def _folder(self, bucket: str) -> Path | None:
        """Give the folder for a bucket; with S3 besides, only one that is there already."""
        if self.exports is None:
            return None
        folder = self.exports / bucket
        return folder if self.open_bucket is None or folder.is_dir() else None


def _refusal(parameter: str, what: str, options: str) -> Fault:
    return invalid_parameter(
        parameter, f"this server starts no {what}: its owner has to give it {options}"
    )
