"""ionhash and pyqldb beside whichever amazon.ion is installed."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from typing import Any

import pytest
from amazon.ion import simple_types, simpleion
from amazon.ion.core import IonType
from amazon.ion.exceptions import IonException
from hypothesis import given, reject

from qldb_stream.clients import load_ionhash
from qldb_stream.errors import UsageError
from qldb_stream.hashing import dot
from qldb_stream.ion import dumps, ion_hash
from qldb_stream.ledger import Ledger
from qldb_stream.testing.strategies import ion_values

STATEMENT = "SELECT VALUE x FROM << 1 >> AS x WHERE x = ?"

WITHOUT = """
import sys
from amazon.ion import simple_types

before = dir(simple_types)
sys.modules["ionhash"] = None
from qldb_stream.clients import load_ionhash
from qldb_stream.errors import UsageError

try:
    load_ionhash()
except UsageError as error:
    print("qldb-stream[qldb]" in str(error), before == dir(simple_types))
"""

FIRST = """
from qldb_stream.clients import load_ionhash

load_ionhash()
load_ionhash()
import ionhash
from amazon.ion import simple_types, simpleion
from pyqldb.util.qldb_hash import QldbHash

print(QldbHash.to_qldb_hash("").get_qldb_hash().hex())
print(simpleion.loads("null").ion_hash("SHA256").hex())
print(simpleion.loads("{}").ion_hash("SHA256").hex())
"""


def _run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_process_that_begins_with_it() -> None:
    """After it, called twice, pyqldb imports and hashes as the facts say (2.9)."""
    expected = [
        "37b6e5aef22429d44339e2786f9ccdab715bf4fac80f6e860d4e79b964621dd4",
        "0fb06b6183c21379529fdd45d6af4aba731ac6f081ef9e6c1c94b1fb26177304",
        "dc3ff8e550c833236bbee92d163762698b7b0b7b68a1af1b060243580741b7a6",
    ]

    assert expected == _run(FIRST)


def test_a_process_in_which_others_were_first() -> None:
    """Where somebody put the name back and no more, values get their method all the same."""
    others = """
from amazon.ion import simple_types

if not hasattr(simple_types, "_IonNature"):
    simple_types._IonNature = type("_IonNature", (), {})
import ionhash
"""
    assert _run(FIRST) == _run(others + FIRST)


def test_a_process_without_ionhash() -> None:
    """Where ionhash is missing, the error says what to install and amazon.ion is as it was."""
    assert ["True True"] == _run(WITHOUT)


def _read(value: Any) -> Any:
    """Make amazon.ion's own value of one; its C part has no room for the largest decimals."""
    try:
        return simpleion.loads(dumps(value))
    except (IonException, ArithmeticError):
        reject()


@given(ion_values())
def test_hashes_are_ours(value: Any) -> None:
    """Ionhash beside this amazon.ion gives what our own Ion Hash gives, for every value."""
    load_ionhash()
    parameter = _read(value)

    assert ion_hash(dumps(parameter)) == parameter.ion_hash("SHA256")


@given(ion_values())
def test_commit_digests_are_the_ledgers(value: Any) -> None:
    """The digest that pyqldb would send for a transaction is one that the ledger accepts."""
    load_ionhash()
    from pyqldb.util.qldb_hash import QldbHash

    hashed = QldbHash.to_qldb_hash
    parameter = _read(value)
    with Ledger.open(":memory:") as ledger:
        transaction = ledger.start_transaction()
        transaction.execute_statement(STATEMENT, parameter)
        folded = hashed(STATEMENT).dot(hashed(parameter))
        digest = hashed(transaction.transaction_id).dot(folded).get_qldb_hash()
        transaction.commit(digest)  # a wrong one is refused


@pytest.mark.parametrize("bits", ["7ff8000000000000", "7ffefefefefefefe", "fff8000000000001"])
def test_there_is_one_nan(bits: str) -> None:
    """A nan is hashed without its payload: amazon.ion 0.15 reads one with from text."""
    load_ionhash()
    load_ionhash()
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    for value in (
        simpleion.loads("nan"),
        simple_types.IonPyFloat.from_value(IonType.FLOAT, number),
    ):
        assert ion_hash(dumps(math.nan)) == value.ion_hash("SHA256")


def test_dot_is_ours() -> None:
    """Pyqldb joins two hashes as we do."""
    load_ionhash()
    from pyqldb.util.qldb_hash import QldbHash

    one, two = ion_hash(dumps(1)), ion_hash(dumps("1"))
    assert dot(one, two) == QldbHash(one).dot(QldbHash(two)).get_qldb_hash()


def test_a_failure_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ionhash cannot be imported, the name that was put back is taken away again."""
    monkeypatch.delattr(simple_types, "_IonNature", raising=False)
    monkeypatch.setitem(sys.modules, "ionhash", None)
    with pytest.raises(UsageError, match="ionhash is missing"):
        load_ionhash()

    assert not hasattr(simple_types, "_IonNature")


def test_a_missing_package_is_named() -> None:
    """What is not installed is a usage error that names the package and the extra."""
    from qldb_stream.clients._compat import missing_extra

    error = missing_extra(ImportError("no", name="boto3"))
    with pytest.raises(UsageError, match=r"boto3 is missing: pip install 'qldb-stream\[qldb\]'"):
        raise error
