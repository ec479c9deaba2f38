"""`qldb-stream ledger serve`: the ledgers of a folder over HTTP, for QLDB's own drivers."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from qldb_stream.cli._options import json_option
from qldb_stream.errors import UsageError

if TYPE_CHECKING:
    from qldb_stream.clients.kinesis import KinesisStreams
    from qldb_stream.clients.s3 import S3Buckets
    from qldb_stream.server import Server

__all__ = ["serve"]

EPILOG = """
\b
Examples:
  qldb-stream ledger serve ledgers/
  qldb-stream ledger serve ledgers/ --port 8080 --json
  qldb-stream ledger serve ledgers/ --exports exports/ --allow-kinesis
  qldb-stream ledger serve ledgers/ --host 0.0.0.0 --keys keys.json \\
      --tls-cert cert.pem --tls-key key.pem
"""

_EXTRA: Final = frozenset({"uvicorn", "starlette", "h11"})
_LEVELS: Final = ("warning", "info", "debug")


@click.command(epilog=EPILOG)
@click.argument("folder", type=click.Path())
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    default=8765,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen at; 0 for one that is free.",
)
@click.option(
    "--keys",
    type=click.Path(),
    help="JSON file of access keys; requests must be "
    "signed (AWS Signature Version 4) with one of them.",
)
@click.option("--tls-cert", type=click.Path(), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(), help="The certificate's private key, PEM.")
@click.option(
    "--limits",
    type=click.Choice(["qldb", "off"]),
    default="qldb",
    show_default=True,
    help="Keep QLDB's limits, such as 40 documents and 30 seconds a transaction.",
)
@click.option(
    "--extensions",
    type=click.Choice(["off", "on"]),
    default="off",
    show_default=True,
    help="Allow PartiQL that QLDB did not have: ORDER BY, LIMIT, GROUP BY, ...",
)
@click.option(
    "--journal-reads",
    type=click.Choice(["off", "on"]),
    default="off",
    show_default=True,
    help="Journal transactions that only read, too, as QLDB did.",
)
@click.option(
    "--threads",
    default=16,
    show_default=True,
    type=click.IntRange(1, 256),
    help="How many commands are carried out at once.",
)
@click.option(
    "--connections-per-address",
    "per_address",
    default=128,
    show_default=True,
    type=click.IntRange(1, 1024),
    help="How many connections one client address may have, where others than this machine "
    "are answered.",
)
@click.option(
    "--grace",
    "grace_s",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, 3600),
    help="Seconds that open transactions and exports are given when it stops.",
)
@click.option(
    "--exports",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Let clients export journals to sub-folders of DIR, which stand for buckets.",
)
@click.option("--allow-s3", is_flag=True, help="Let clients export to S3, with your credentials.")
@click.option("--s3-endpoint", metavar="URL", help="The S3 that they may export to.")
@click.option(
    "--allow-kinesis", is_flag=True, help="Let clients stream to Kinesis, with your credentials."
)
@click.option("--kinesis-endpoint", metavar="URL", help="The Kinesis that they may stream to.")
@click.option(
    "--log-level",
    type=click.Choice(_LEVELS),
    default="warning",
    show_default=True,
    help="info logs each request: ids and counts, never contents.",
)
@json_option
def serve(*, folder: str, as_json: bool, log_level: str, **settings: Any) -> int:
    """
    Serve the ledgers of a folder to applications written for QLDB.

    Each NAME.ledger in FOLDER is a ledger. Official drivers connect to it with an endpoint
    override; `CreateLedger` makes new ones. Only this machine is answered unless --host says
    otherwise, which needs --keys. SIGTERM and SIGINT stop it: nothing new begins, open
    transactions and exports have --grace seconds, then it exits with 0; a second one stops it
    at once.

    Clients start exports and streams only where you let them: below a folder of yours
    (--exports), in S3 (--allow-s3 or --s3-endpoint) and Kinesis (--allow-kinesis or
    --kinesis-endpoint), as boto3 finds credentials and region.

    With --json the first line on standard output is an object with `url`, printed when
    requests are answered.
    """
    logging.basicConfig(
        level=log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    server = _make_server(folder, settings)
    with _stopped_by_signals(server) as stopping:
        server.start()
        _say(server, folder, as_json=as_json)
        stopping.wait()
        server.stop()
    return 0


def _make_server(folder: str, settings: dict[str, Any]) -> Server:
    try:
        from qldb_stream.server import ConnectionLimits, Server, Targets
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise UsageError(
            "the server needs the extra `server`: pip install 'qldb-stream[cli,server]'"
        ) from error
    targets = Targets(
        exports=Path(exports) if (exports := settings.pop("exports")) else None,
        open_bucket=_choose_s3(settings.pop("s3_endpoint"), allowed=settings.pop("allow_s3")),
        streams=_choose_kinesis(
            settings.pop("kinesis_endpoint"), allowed=settings.pop("allow_kinesis")
        ),
    )
    connections = ConnectionLimits(per_address=settings.pop("per_address"))
    return Server(folder, targets=targets, connections=connections, **settings)


def _choose_s3(endpoint: str | None, *, allowed: bool) -> S3Buckets | None:
    """Give the S3 that clients may export to; naming an endpoint allows that one."""
    if endpoint is None and not allowed:
        return None
    from qldb_stream.clients.s3 import S3Buckets

    return S3Buckets(endpoint)


def _choose_kinesis(endpoint: str | None, *, allowed: bool) -> KinesisStreams | None:
    """Give the Kinesis that clients may stream to; naming an endpoint allows that one."""
    if endpoint is None and not allowed:
        return None
    from qldb_stream.clients.kinesis import KinesisStreams

    return KinesisStreams(endpoint)


def _say(server: Server, folder: str, *, as_json: bool) -> None:
    text = f"serving {folder} at {server.url}; stop with Ctrl-C"
    click.echo(json.dumps({"url": server.url, "folder": folder}) if as_json else text)
    sys.stdout.flush()


@contextmanager
def _stopped_by_signals(server: Server) -> Iterator[threading.Event]:
    """Give what SIGTERM and SIGINT set; a second one makes the server hurry."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            server.hurry()
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
