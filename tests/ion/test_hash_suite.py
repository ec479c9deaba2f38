"""
The Ion project's Ion Hash suite, whole: each case's bytes fed to the hasher, or its digests.

In a case, `update` is what a hasher is fed and `digest` what it answers, in order; a hasher that
answers what it was fed (`identity`) makes both visible. A struct hashes each field with a hasher of
its own, so digests of fields stand before the digest of the whole.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from qldb_stream.ion import (
    IVM,
    IonSlice,
    int_of,
    iter_elements,
    iter_fields,
    iter_text,
    load_slice,
    read_struct,
)
from qldb_stream.ion._hash import serialize

Steps = list[tuple[str, bytes]]


class Recorder:
    """Make hashers of one algorithm, and keep their digests in order."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.digests: list[bytes] = []

    def __call__(self, fed: bytes) -> Recorded:
        """Make a hasher of its input."""
        return Recorded(self, fed)


class Recorded:
    """Answer one digest, and have it recorded."""

    def __init__(self, recorder: Recorder, fed: bytes) -> None:
        self.recorder = recorder
        self.fed = fed

    def digest(self) -> bytes:
        """Answer what was fed, or its digest."""
        algorithm = self.recorder.algorithm
        answer = self.fed if algorithm == "identity" else hashlib.new(algorithm, self.fed).digest()
        self.recorder.digests.append(answer)
        return answer


def test_suite(vectors: Path) -> None:
    """Each case of the suite gives the digests it expects, in their order."""
    checked = 0
    for case in iter_text((vectors / "ion-hash" / "ion_hash_tests.ion").read_bytes()):
        fields = read_struct(case)
        value = _value_of(fields)
        for algorithm, steps in iter_fields(fields["expect"]):
            assert algorithm is not None
            _check(value, algorithm, _steps(steps))
            checked += 1
    assert 171 == checked


def _value_of(case: dict[str, IonSlice]) -> IonSlice:
    return load_slice(IVM + _octets(case["10n"])) if "10n" in case else case["ion"]


def _octets(sexp: IonSlice) -> bytes:
    return bytes(int_of(octet) for octet in iter_elements(sexp))


def _steps(sexp: IonSlice) -> Steps:
    return [(step.annotations[0] or "", _octets(step)) for step in iter_elements(sexp)]


def _check(value: IonSlice, algorithm: str, steps: Steps) -> None:
    recorder = Recorder(algorithm)
    fed = serialize(value.buf, value.start, value.end, value.symbols, recorder)
    answer = recorder(fed).digest()
    final = [octets for kind, octets in steps if kind == "final_digest"]
    if final:
        assert final == [answer]
        return
    assert [octets for kind, octets in steps if kind == "digest"] == recorder.digests
    if algorithm == "identity":
        _check_updates(steps)


def _check_updates(steps: Steps) -> None:
    """Check that each expected digest is made of updates: then the updates are ours, too."""
    fed = b""
    for kind, octets in steps:
        if kind == "update":
            fed += octets
        else:
            assert fed.endswith(octets)
            fed = fed.removesuffix(octets)
    assert b"" == fed
