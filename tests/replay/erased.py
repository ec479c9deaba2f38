"""What a journal redacts: the words that must be gone where it was replayed to."""

from __future__ import annotations

from qldb_stream.events import RevisionKind
from qldb_stream.testing import Journal

_SHORTEST = 9  # shorter ones may be anywhere by chance


def erased_words(journal: Journal) -> list[bytes]:
    """
    Give the texts that stand in redacted documents and nowhere else.

    Args:
        journal: one that shows its documents as they were before.
    """
    words: set[bytes] = set()
    living = bytearray()
    for before, after in zip(journal, journal.with_erased(), strict=True):
        for full, found in zip(before.revisions, after.revisions, strict=True):
            living += str(full.document_id).encode()
            if found.data_ion is not None:
                living += found.data_ion.to_bytes()
            elif found.kind is RevisionKind.REDACTED and full.data_ion is not None:
                values = full.data_ion.decode().values()
                words |= {str(value).encode() for value in values if isinstance(value, str)}
    return sorted(word for word in words if len(word) >= _SHORTEST and word not in living)
