"""Sign the index of a bundle with Ed25519, by the extra `sign`; the key is never shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qldb_stream.archive.evidence.verify import write_signature
from qldb_stream.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Signer", "open_signer"]


class Signer:
    """Signs bytes with one key; made by `open_signer`."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, data: bytes) -> bytes:
        """Give the file of a signature over bytes: algorithm, public key and signature."""
        return write_signature(self._key.public_key().public_bytes_raw(), self._key.sign(data))


def open_signer(path: str | Path) -> Signer:
    """
    Open a private Ed25519 key.

    Args:
        path: a PEM file (PKCS #8) without password, as `openssl genpkey -algorithm ed25519`
            writes it.

    Raises:
        UsageError: the extra `sign` is not installed, the file cannot be read, or holds another
            kind of key.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as exc:
        raise UsageError("to sign needs cryptography: pip install 'qldb-stream[sign]'") from exc
    wanted = "expected a private Ed25519 key as PEM without a password"
    try:
        key = load_pem_private_key(Path(path).read_bytes(), password=None)
    except OSError as exc:
        raise UsageError(f"cannot read the key {path}: {exc.strerror}") from exc
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise UsageError(f"{wanted}, {path} is none") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{wanted}, {path} is a key of another kind")
    return Signer(key)
