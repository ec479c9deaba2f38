"""A DynamoDB and an S3 for tests: moto's, which do one request after the other."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from qldb_stream.inbox.dynamodb import create_table

_NUMBERS = itertools.count()


@contextmanager
def serve_aws() -> Iterator[str]:
    """
    Serve moto's AWS on loopback while the body runs, and give its URL.

    moto's own threaded server lets requests run into each other's transactions: one that is
    refused puts back the whole table as it was, and with it what others wrote meanwhile.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class QuietHandler(WSGIRequestHandler):
        def log_request(self, *_arguments: Any) -> None:
            """Say nothing."""

    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    yield f"http://{host!s}:{port}"
    server.shutdown()
    thread.join()
    server.server_close()


@cache
def client_of(service: str, url: str) -> Any:
    """A client of what is served, the same each time: making one takes a tenth of a second."""
    import boto3

    return boto3.Session().client(service, endpoint_url=url)


def new_table(url: str) -> str:
    """Make an empty table, and give its name."""
    name = f"inbox-{next(_NUMBERS)}"
    create_table(name, client=client_of("dynamodb", url))
    return name


def items_of(url: str, table: str) -> list[dict[str, Any]]:
    """All items of a table, as the API has them."""
    answers = (
        client_of("dynamodb", url)
        .get_paginator("scan")
        .paginate(TableName=table, ConsistentRead=True)
    )
    return [item for answer in answers for item in answer["Items"]]


def objects_of(url: str, bucket: str) -> dict[str, bytes]:
    """All objects of a bucket, all of their versions."""
    client = client_of("s3", url)
    answer = client.list_object_versions(Bucket=bucket)
    return {
        f"{v['Key']} {v['VersionId']}": client.get_object(
            Bucket=bucket, Key=v["Key"], VersionId=v["VersionId"]
        )["Body"].read()
        for v in answer.get("Versions", ())
    }
