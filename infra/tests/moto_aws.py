"""An AWS that moto plays on loopback, bootstrapped for the CDK and else empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
Clients = Callable[[str], Any]


@contextmanager
def serve_aws() -> Iterator[Clients]:
    """Give a maker of clients while the body runs; what an earlier one left is gone."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # All servers of a process have one state.
    urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()  # noqa: S310 - it is ours

    def client(service: str) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, region_name=REGION, endpoint_url=url, **keys)

    client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    client("s3").create_bucket(
        Bucket=f"cdk-hnb659fds-assets-123456789012-{REGION}",
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    yield client
    server.stop()
