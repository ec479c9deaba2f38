"""The ledgers of AWS's own service: only where they were asked for."""

from __future__ import annotations

from typing import Any

from aws_cdk.assertions import Match, Template


def test_ledgers(templates: dict[str, dict[str, Any]]) -> None:
    """Source and destination are there, protected, with a customer's key that rotates."""
    template = Template.from_json(templates["qldb-stream-ledger"])

    template.resource_count_is("AWS::QLDB::Ledger", 2)
    for name in ("vehicle-registration", "vehicle-registration-copy"):
        template.has_resource(
            "AWS::QLDB::Ledger",
            {
                "DeletionPolicy": "Retain",
                "Properties": {
                    "Name": name,
                    "DeletionProtection": True,
                    "PermissionsMode": "STANDARD",
                    "KmsKey": Match.any_value(),
                },
            },
        )
    template.has_resource_properties("AWS::KMS::Key", {"EnableKeyRotation": True})


def test_unprotected_when_asked(templates: dict[str, dict[str, Any]]) -> None:
    """`retain=false` makes a deployment that goes without a trace."""
    template = Template.from_json(templates["other-ledger"])

    template.all_resources(
        "AWS::QLDB::Ledger",
        {"DeletionPolicy": "Delete", "Properties": {"DeletionProtection": False}},
    )
