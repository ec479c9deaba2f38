"""The one place that knows that AWS retired QLDB."""

from __future__ import annotations

from constructs import IConstruct

from parts.nag import accept

# The CDK's check of templates knows which services were shut down.
RULE = "CloudFormation-Validate::E3710"


def accept_retired(construct: IConstruct) -> None:
    """Acknowledge the CDK's notice that a QLDB type is gone: it was asked for."""
    accept(
        construct,
        "AWS closed QLDB on 2025-07-31. Only qldb=true makes this resource: for accounts and "
        "endpoints that still have the service, and to show the deployment as it was.",
        RULE,
    )
