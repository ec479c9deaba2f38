"""Documents that are too large for an event, as objects of a bucket."""

from __future__ import annotations

from typing import Any, Final

from qldb_stream.sinks._messages import Message
from qldb_stream.sinks.events._aws import make_client, translated

__all__ = ["Claims"]


class Claims:
    """
    Keeps documents under ``PREFIX/DOCUMENT-ID/VERSION.json``; a repeat replaces its own.

    Args:
        sink: what messages call whoever writes.
        bucket: its name; it must be there.
        prefix: empty, or ended by a slash.

    Raises:
        UsageError: boto3 is not installed, or no region is known.
    """

    def __init__(self, sink: str, bucket: str, prefix: str) -> None:
        self._sink: Final = sink
        self._bucket: Final = bucket
        self._prefix: Final = prefix
        self._client: Final[Any] = make_client(sink, "s3")

    def url(self, message: Message) -> str:
        """Say where the document of a message is, or will be."""
        fields = message.fields
        return f"s3://{self._bucket}/{self._key(fields['documentId'], fields['version'])}"

    def put(self, message: Message) -> None:
        """
        Store the document of a message.

        Raises:
            UsageError: the bucket is not there or may not be written.
            SinkUnavailableError: S3 cannot be reached now.
        """
        fields = message.fields
        with translated(self._sink):
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(fields["documentId"], fields["version"]),
                Body=message.data_json.encode("ascii"),
                ContentType="application/json",
            )

    def remove(self, document_id: str, version: int) -> None:
        """
        Remove a document, in all versions that the bucket has of it; none is no error.

        Raises:
            UsageError: it may not be listed or removed.
            SinkUnavailableError: S3 cannot be reached now; some versions may be gone.
        """
        key = self._key(document_id, version)
        with translated(self._sink):
            pages = self._client.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self._bucket, Prefix=key):
                for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if each["Key"] == key:  # without versions it has one, `null`
                        self._client.delete_object(
                            Bucket=self._bucket, Key=key, VersionId=each["VersionId"]
                        )

    def _key(self, document_id: str, version: int) -> str:
        return f"{self._prefix}{document_id}/{version}.json"
