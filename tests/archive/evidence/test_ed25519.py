"""Ed25519 in verify.py: RFC 8032, strictly."""

from __future__ import annotations

import hashlib
from random import Random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qldb_stream.archive.evidence.verify import _ORDER, _P, ed25519_verifies

# RFC 8032, 7.1: public key, message, signature.
VECTORS = {
    "TEST 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
            "b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "TEST 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
            "1d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "TEST 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
            "c6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    "TEST SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431"
            "e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
}

# Points of order 1, 2, 4, 4, 8, 8 and the same with the other sign or not reduced.
SMALL = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_the_rfc(name: str) -> None:
    """Each vector verifies, and fails when any part has one bit changed."""
    public, message, signature = (bytes.fromhex(part) for part in VECTORS[name])

    assert ed25519_verifies(public, message, signature)
    assert not ed25519_verifies(public, message + b"\0", signature)
    for place in range(0, 64, 9):
        flipped = bytearray(signature)
        flipped[place] ^= 1
        assert not ed25519_verifies(public, message, bytes(flipped))


def test_it_agrees_with_cryptography() -> None:
    """Signatures of random keys, whole or with one byte changed, are what cryptography says."""
    random = Random(7)
    for _ in range(12):
        key = Ed25519PrivateKey.from_private_bytes(random.randbytes(32))
        message = random.randbytes(random.randrange(200))
        signature = bytearray(key.sign(message))
        if random.random() < 0.5:
            signature[random.randrange(64)] ^= random.randrange(1, 256)
        try:
            key.public_key().verify(bytes(signature), message)
            expected = True
        except InvalidSignature:
            expected = False
        public = key.public_key().public_bytes_raw()
        assert expected is ed25519_verifies(public, message, bytes(signature))


def test_s_is_below_the_order() -> None:
    """The same signature with the order added to S would verify by the equation, and does not."""
    public, message, signature = (bytes.fromhex(part) for part in VECTORS["TEST 2"])
    s = int.from_bytes(signature[32:], "little") + _ORDER

    assert not ed25519_verifies(public, message, signature[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize("key", SMALL)
def test_keys_of_small_order_sign_nothing(key: str) -> None:
    """R = identity and S = 0 fits such a key and any message of some; it is refused."""
    signature = bytes([1]) + bytes(63)
    for message in range(8):
        assert not ed25519_verifies(bytes.fromhex(key), bytes([message]), signature)


@pytest.mark.parametrize(
    ("public", "signature"),
    [(b"", bytes(64)), (bytes(32), b""), (bytes(33), bytes(64)), (b"\2" + bytes(31), bytes(64))],
)
def test_what_is_no_key_or_signature_fails(public: bytes, signature: bytes) -> None:
    """Other lengths, and bytes that are no point of the curve, are no error but a no."""
    assert not ed25519_verifies(public, b"", signature)


def test_a_key_has_one_form() -> None:
    """The coordinate of a point is below the prime: y + p is not taken for y."""
    assert not ed25519_verifies((_P + 3).to_bytes(32, "little"), b"", bytes([1]) + bytes(63))
