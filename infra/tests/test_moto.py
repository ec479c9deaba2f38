"""
The templates created in moto, and what really came into being counted.

moto says CREATE_COMPLETE for types that it leaves out, so its word is not taken: for each
service that it plays, the resources are asked for by that service's own API. Types that it
does not play are listed, so that one more is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
STACK = "plain-stream"


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """Where moto plays AWS, on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def created(moto_url: str, templates: dict[str, dict[str, Any]]) -> Iterator[Any]:
    """A maker of clients for an account in which the plain deployment was created."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=moto_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    template = templates[STACK]
    client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    assets = f"cdk-hnb659fds-assets-123456789012-{REGION}"
    client("s3").create_bucket(
        Bucket=assets, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    client("cloudformation").create_stack(
        StackName=STACK, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )
    yield client


def test_complete(created: Any) -> None:
    """CloudFormation took the template: every reference in it resolves."""
    (stack,) = created("cloudformation").describe_stacks(StackName=STACK)["Stacks"]

    assert "CREATE_COMPLETE" == stack["StackStatus"]
    assert {"StreamName", "ArchiveBucket", "FailuresBucket", "InboxUrl"} <= {
        each["OutputKey"] for each in stack["Outputs"]
    }
