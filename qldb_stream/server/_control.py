"""
The control plane `qldb` (facts 7): its operations on ledgers; JSON in, JSON out, no HTTP.

What this server has nothing for is refused by name, never accepted in silence: keys of KMS.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from qldb_stream.ledger import is_ledger_name
from qldb_stream.server._call import Call, Plane, flag, ledger_arn, page_of
from qldb_stream.server._faults import invalid_parameter, precondition_not_met
from qldb_stream.server._metadata import LedgerSettings
from qldb_stream.server._tags import read_tags

__all__ = [
    "create_ledger",
    "delete_ledger",
    "describe_ledger",
    "list_ledgers",
    "update_ledger",
    "update_permissions_mode",
]

_OWNED_KEY: Final = "AWS_OWNED_KMS_KEY"
_MODES: Final = ("ALLOW_ALL", "STANDARD")


def create_ledger(plane: Plane, call: Call) -> dict[str, Any]:
    """Make a ledger; it is ACTIVE at once."""
    name = call.body.get("Name")
    if not isinstance(name, str) or not is_ledger_name(name):
        raise invalid_parameter(
            "Name", "a ledger's name has up to 32 letters, digits and single dashes"
        )
    _check_kms_key(call)
    protection = flag(call.body, "DeletionProtection", default=True)
    tags = read_tags(call.body.get("Tags", {}))
    settings = LedgerSettings(plane.environment.now_ms(), _permissions_mode(call), protection)
    plane.ledgers.create(name, settings, tags)
    return _description(plane, name)


def describe_ledger(plane: Plane, call: Call) -> dict[str, Any]:
    """Describe a ledger; without EncryptionDescription, since nothing is encrypted here."""
    return _description(plane, call.name)


def list_ledgers(plane: Plane, call: Call) -> dict[str, Any]:
    """List ledgers by name, a page at a time."""
    names, token = page_of(call, plane.ledgers.names(), str)
    found = []
    for name in names:
        created = plane.ledgers.settings(name).created_ms / 1000
        found.append({"Name": name, "State": "ACTIVE", "CreationDateTime": created})
    return {"Ledgers": found, **token}


def update_ledger(plane: Plane, call: Call) -> dict[str, Any]:
    """Change deletion protection."""
    _check_kms_key(call)
    settings = plane.ledgers.settings(call.name)
    protection = flag(call.body, "DeletionProtection", default=settings.deletion_protection)
    changed = attrs.evolve(settings, deletion_protection=protection)
    plane.ledgers.metadata.put_settings(call.name, changed)
    description = _description(plane, call.name)
    del description["PermissionsMode"]  # UpdateLedger's answer has none
    return description


def update_permissions_mode(plane: Plane, call: Call) -> dict[str, Any]:
    """Change the permissions mode, which is kept and told; what a key may do is in its file."""
    settings = plane.ledgers.settings(call.name)
    mode = _permissions_mode(call)
    changed = attrs.evolve(settings, permissions_mode=mode)
    plane.ledgers.metadata.put_settings(call.name, changed)
    return {"Name": call.name, "Arn": ledger_arn(call.name), "PermissionsMode": mode}


def delete_ledger(plane: Plane, call: Call) -> dict[str, Any]:
    """End what is at work in a ledger, and remove it for good; refused while it is protected."""
    if plane.ledgers.settings(call.name).deletion_protection:
        raise precondition_not_met(
            call.name, "deletion protection is on; turn it off with UpdateLedger"
        )
    plane.service.end_sessions_of(call.name)
    plane.jobs.end_of_ledger(call.name)
    plane.ledgers.delete(call.name)
    return {}


def _description(plane: Plane, name: str) -> dict[str, Any]:
    settings = plane.ledgers.settings(name)
    return {
        "Name": name,
        "Arn": ledger_arn(name),
        "State": "ACTIVE",
        "CreationDateTime": settings.created_ms / 1000,
        "PermissionsMode": settings.permissions_mode,
        "DeletionProtection": settings.deletion_protection,
    }


def _permissions_mode(call: Call) -> str:
    mode = call.body.get("PermissionsMode")
    if mode not in _MODES:
        raise invalid_parameter("PermissionsMode", f"PermissionsMode is one of {', '.join(_MODES)}")
    return str(mode)


def _check_kms_key(call: Call) -> None:
    if call.body.get("KmsKey", _OWNED_KEY) != _OWNED_KEY:
        raise invalid_parameter(
            "KmsKey", "this server does not encrypt; let the disk below it do so"
        )
