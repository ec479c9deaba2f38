"""
Where journals come from: local files and folders of Kinesis or Firehose bytes.

A source hands over events sorted by block, so that everything behind it runs in
constant memory; how it puts an archive of any size in order is told in `_folder` and
`_index`, how files are found and read twice in `_files`, what becomes of gzip in
`_gzip`. A data stream is another kind of source, in a room of its own: `kinesis`.

Names are imported when they are first used: processes that read together need not know S3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qldb_stream._faces import import_from_home

if TYPE_CHECKING:
    from qldb_stream.sources._again import OpenSource, PlaceReader
    from qldb_stream.sources._files import INDEX_NAME
    from qldb_stream.sources._folder import Carrier, FolderSource, Progress, open_source
    from qldb_stream.sources._index import Place
    from qldb_stream.sources._promises import JudgedManifest
    from qldb_stream.sources._settle import Said

__all__ = [
    "INDEX_NAME",
    "Carrier",
    "FolderSource",
    "JudgedManifest",
    "OpenSource",
    "Place",
    "PlaceReader",
    "Progress",
    "Said",
    "open_source",
]

_HOME: Final = {
    "INDEX_NAME": "_files",
    "Carrier": "_folder",
    "FolderSource": "_folder",
    "JudgedManifest": "_promises",
    "OpenSource": "_again",
    "Place": "_index",
    "PlaceReader": "_again",
    "Progress": "_folder",
    "Said": "_settle",
    "open_source": "_folder",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    return import_from_home(__name__, _HOME, name)
