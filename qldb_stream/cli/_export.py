"""`qldb-stream ledger export`: a ledger's journal as QLDB exported it, to a folder or to S3."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import click

from qldb_stream.cli._ledgers import open_existing_ledger
from qldb_stream.cli._options import json_option, parse_time
from qldb_stream.cli._output import count, print_json, print_verdict
from qldb_stream.errors import UsageError
from qldb_stream.ledger import ObjectStore

__all__ = ["export"]

EPILOG = """
\b
Examples:
  qldb-stream ledger export cars.ledger --to archive/
  qldb-stream ledger export cars.ledger --to s3://my-bucket/exports/ --format ion-binary
  qldb-stream ledger export cars.ledger --to archive/ --start 2024-05-01T00:00:00Z
"""

_FORMATS: Final = ("ion-text", "ion-binary", "json")
_S3: Final = "s3"


@click.command(epilog=EPILOG)
@click.argument("ledger_path", metavar="LEDGER", type=click.Path())
@click.option(
    "--to", "target", required=True, metavar="DIR|s3://BUCKET/PREFIX", help="Where it is written."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(_FORMATS),
    default=_FORMATS[0],
    show_default=True,
    help="How blocks and manifests are written; JSON loses Ion's types.",
)
@click.option("--start", callback=parse_time, metavar="TIME", help="First block time, included.")
@click.option("--end", callback=parse_time, metavar="TIME", help="Last block time, not included.")
@json_option
def export(
    *,
    ledger_path: str,
    target: str,
    output_format: str,
    start: datetime | None,
    end: datetime | None,
    as_json: bool,
) -> int:
    """
    Write the journal of LEDGER as QLDB's journal exports were.

    A started manifest, data objects by hour, and at last the manifest that lists them. What
    follows the bucket's name comes before every key as it is. A writer may have LEDGER open.
    """
    place, prefix = _open_target(target)
    with open_existing_ledger(ledger_path) as ledger:
        summary = ledger.export(
            place, output_format=output_format, prefix=prefix, start=start, end=end
        )
    if as_json:
        print_json(summary.as_json())
    else:
        sentence = (
            f"{count(summary.blocks, 'block')} in {count(summary.objects, 'object')}, "
            f"listed in {summary.manifest_key}"
        )
        print_verdict(ok=True, sentence=sentence)
    return 0


def _open_target(target: str) -> tuple[str | ObjectStore, str]:
    """
    Give where to write, and the prefix.

    Raises:
        UsageError: a URL that names no bucket, or of another scheme.
    """
    url = urlsplit(target)
    if url.scheme != _S3:
        if "://" in target:
            raise UsageError(f"an export goes to a folder or to s3://, not to {url.scheme}://")
        return target, ""
    if not url.netloc:
        raise UsageError("s3:// is followed by a bucket's name")
    from qldb_stream.clients.s3 import S3Bucket

    return S3Bucket(url.netloc), target.removeprefix(f"s3://{url.netloc}").removeprefix("/")
