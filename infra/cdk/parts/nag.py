"""Where a rule of cdk-nag is not followed, and why. Nothing is suppressed without a reason."""

from __future__ import annotations

from aws_cdk import (
    Acknowledgment,
    CfnElement,
    Stack,
    Validations,
    aws_lambda as lambda_,
    aws_s3 as s3,
)
from constructs import IConstruct


def accept(construct: IConstruct, reason: str, *rules: str) -> None:
    """
    Accept that `construct` and what it holds break `rules`, for one reason.

    A rule is written as the report says it, such as `AwsSolutions-S1` or
    `AwsSolutions-IAM5[Resource::*]`: with what is broken, so that one more wildcard is an
    error again.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule in rules)
    )


def accept_wildcards(construct: IConstruct, reason: str, *resources: str) -> None:
    """Accept resources that end in a wildcard, each as cdk-nag writes it (see `any_object`)."""
    accept(construct, reason, *(f"AwsSolutions-IAM5[Resource::{each}]" for each in resources))


def any_object(bucket: s3.IBucket, prefix: str = "") -> str:
    """Write all objects of a bucket as cdk-nag does."""
    made = bucket.node.default_child
    if isinstance(made, CfnElement):
        return f"<{_logical_id(made)}.Arn>/{prefix}*"
    return f"arn:<AWS::Partition>:s3:::{bucket.bucket_name}/{prefix}*"


def any_version(function: lambda_.IFunction) -> str:
    """Write all versions of a function as cdk-nag does."""
    made = function.node.default_child
    assert isinstance(made, CfnElement)
    return f"<{_logical_id(made)}.Arn>:*"


def _logical_id(made: CfnElement) -> str:
    """Give the name that a resource has in its template."""
    return str(Stack.of(made).resolve(made.logical_id))
