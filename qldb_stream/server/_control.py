"""
The control plane `qldb` (facts 7): its operations on ledgers; JSON in, JSON out, no HTTP.

What this server has nothing for is refused by name, never accepted in silence: keys of KMS, and
exports and streams, which are the command's business (`qldb-stream ledger export`, `stream`): a
server that writes where a client says would be a way into its machine.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from qldb_stream.server._call import (
    Call,
    Plane,
    flag,
    ledger_arn,
    make_token,
    max_results,
    read_token,
)
from qldb_stream.server._faults import Fault, invalid_parameter, precondition_not_met
from qldb_stream.server._ledgers import is_ledger_name
from qldb_stream.server._metadata import LedgerSettings
from qldb_stream.server._tags import read_tags

__all__ = [
    "create_ledger",
    "delete_ledger",
    "describe_ledger",
    "find_no_export",
    "find_no_stream",
    "list_ledgers",
    "list_no_exports",
    "list_no_streams",
    "refuse_export",
    "refuse_stream",
    "update_ledger",
    "update_permissions_mode",
]

_OWNED_KEY: Final = "AWS_OWNED_KMS_KEY"
_MODES: Final = ("ALLOW_ALL", "STANDARD")
_SHOWN_CHARACTERS: Final = 40


def create_ledger(plane: Plane, call: Call) -> dict[str, Any]:
    """Make a ledger; it is ACTIVE at once."""
    name = call.body.get("Name")
    if not isinstance(name, str) or not is_ledger_name(name):
        raise invalid_parameter(
            "Name", "a ledger's name has up to 32 letters, digits and single dashes"
        )
    _check_kms_key(call)
    protection = flag(call, "DeletionProtection", default=True)
    tags = read_tags(call.body.get("Tags", {}))
    settings = LedgerSettings(plane.environment.now_ms(), _permissions_mode(call), protection)
    plane.ledgers.create(name, settings, tags)
    return _description(plane, name)


def describe_ledger(plane: Plane, call: Call) -> dict[str, Any]:
    """Describe a ledger; without EncryptionDescription, since nothing is encrypted here."""
    return _description(plane, call.name)


def list_ledgers(plane: Plane, call: Call) -> dict[str, Any]:
    """List ledgers by name, a page at a time."""
    most, after = max_results(call), read_token(call)
    names = [name for name in plane.ledgers.names() if name > after]
    found = []
    for name in names[:most]:
        created = plane.ledgers.settings(name).created_ms / 1000
        found.append({"Name": name, "State": "ACTIVE", "CreationDateTime": created})
    token = {"NextToken": make_token(names[most - 1])} if len(names) > most else {}
    return {"Ledgers": found, **token}


def update_ledger(plane: Plane, call: Call) -> dict[str, Any]:
    """Change deletion protection."""
    _check_kms_key(call)
    settings = plane.ledgers.settings(call.name)
    protection = flag(call, "DeletionProtection", default=settings.deletion_protection)
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
    """End a ledger's sessions and remove it for good; refused while it is protected."""
    if plane.ledgers.settings(call.name).deletion_protection:
        raise precondition_not_met(
            call.name, "deletion protection is on; turn it off with UpdateLedger"
        )
    plane.service.end_sessions_of(call.name)
    plane.ledgers.delete(call.name)
    return {}


def refuse_export(plane: Plane, call: Call) -> dict[str, Any]:
    """Refuse to export."""
    plane.ledgers.settings(call.name)
    raise invalid_parameter(
        "S3ExportConfiguration",
        "this server starts no exports; on its machine: qldb-stream ledger export",
    )


def refuse_stream(plane: Plane, call: Call) -> dict[str, Any]:
    """Refuse to stream."""
    plane.ledgers.settings(call.name)
    raise invalid_parameter(
        "KinesisConfiguration",
        "this server starts no streams; on its machine: qldb-stream ledger stream",
    )


def list_no_exports(plane: Plane, call: Call) -> dict[str, Any]:
    """List exports: there are none."""
    _check_ledger_of(plane, call)
    return {"JournalS3Exports": []}


def list_no_streams(plane: Plane, call: Call) -> dict[str, Any]:
    """List streams: there are none."""
    _check_ledger_of(plane, call)
    return {"Streams": []}


def find_no_export(plane: Plane, call: Call) -> dict[str, Any]:
    """Look for an export: there is none."""
    raise _not_found(plane, call, "JournalS3Export")


def find_no_stream(plane: Plane, call: Call) -> dict[str, Any]:
    """Look for a stream: there is none."""
    raise _not_found(plane, call, "JournalKinesisStream")


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


def _check_ledger_of(plane: Plane, call: Call) -> None:
    if "name" in call.path:
        plane.ledgers.settings(call.name)


def _not_found(plane: Plane, call: Call, kind: str) -> Fault:
    plane.ledgers.settings(call.name)
    shown = call.path["id"][:_SHOWN_CHARACTERS]
    members = {"ResourceType": kind, "ResourceName": shown}
    return Fault("ResourceNotFoundException", f"The {kind} {shown} is not found", 404, members)
