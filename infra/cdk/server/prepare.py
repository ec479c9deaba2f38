"""
Lay out what the ledger server reads at its start: certificate, keys, and its first ledgers.

Runs as the server's own user before each start, with nothing but the standard library and
the `aws` command. The secret that the owner made holds the certificate and the keys of
applications; the one that the stack made holds the key that the replay signs with. Both are
read anew each time: after a change of either, restart the service.

Usage: prepare.py FOLDER_OF_SECRETS FOLDER_OF_LEDGERS
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_COMMAND = "/opt/qldb-ledger/bin/qldb-stream"


def read_secret(name: str) -> dict[str, Any]:
    """Fetch a secret that is a JSON object; its text is never printed."""
    command = ["aws", "secretsmanager", "get-secret-value", "--secret-id", name]
    command += ["--query", "SecretString", "--output", "text"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - the name is the stack's
    try:
        secret = json.loads(done.stdout)
    except ValueError:
        secret = None
    if not isinstance(secret, dict):
        sys.exit(f"prepare: the secret {name} is no JSON object")
    return secret


def all_keys(owner: dict[str, Any], replay: dict[str, Any]) -> dict[str, Any]:
    """Give the server's file of keys: those of the owner's applications, and the replay's."""
    its_own = {
        "access_key": replay["access_key"],
        "secret_key": replay["secret_key"],
        "permission": "read-write",
    }
    return {"version": 1, "keys": [*owner.get("keys", []), its_own]}


def write_secrets(folder: Path, owner: dict[str, Any], replay: dict[str, Any]) -> None:
    """Write what the server is told to read, for its user alone."""
    missing = [name for name in ("certificate", "private_key") if not owner.get(name)]
    if missing:
        sys.exit(f"prepare: the server's secret lacks {', '.join(missing)}")
    files = {
        "certificate.pem": owner["certificate"],
        "private-key.pem": owner["private_key"],
        "keys.json": json.dumps(all_keys(owner, replay)),
    }
    for name, text in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")


def make_ledgers(folder: Path, names: list[str], command: str = _COMMAND) -> None:
    """Make the ledgers that are not there yet; those that are stay as they are."""
    for name in names:
        ledger = folder / f"{name}.ledger"
        if not ledger.exists():
            ask = "SELECT name FROM information_schema.user_tables"
            subprocess.run(  # noqa: S603 - the names are the stack's, and checked there
                [command, "ledger", "query", str(ledger), ask, "--create"], check=True
            )


def main(secrets: Path, ledgers: Path) -> None:
    """Do it all, as the environment says."""
    owner = read_secret(os.environ["QLDB_LEDGER_SECRET"])
    replay = read_secret(os.environ["QLDB_LEDGER_REPLAY_KEY"])
    write_secrets(secrets, owner, replay)
    command = os.environ.get("QLDB_LEDGER_COMMAND", _COMMAND)
    make_ledgers(ledgers, os.environ["QLDB_LEDGER_NAMES"].split(), command)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
