"""
AWS's Python driver against the server: an application's whole life.

What the ledger proves is checked by AWS's published algorithm, written anew in
tests/ledger/published.py on amazon.ion and ionhash alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from amazon.ion import simpleion

from qldb_stream.clients import connect
from qldb_stream.server import Server
from qldb_stream.testing.vehicle_registration import TABLES, tell_story
from tests.drivers.journal import check_ledger
from tests.ledger import published

SECRET = "Rumpelstiltskin"


@pytest.fixture
def driver(server: Server) -> Iterator[Any]:
    """A pyqldb driver on the ledger cars."""
    with connect("cars", endpoint_url=server.url) as driver:
        yield driver


def _run(driver: Any, statement: str, *parameters: Any) -> list[Any]:
    return list(driver.execute_lambda(lambda txn: txn.execute_statement(statement, *parameters)))


def _ion(holder: dict[str, str]) -> Any:
    return simpleion.loads(holder["IonText"])


def _address(strand_id: str, sequence_no: int) -> dict[str, str]:
    return {"IonText": f'{{strandId:"{strand_id}",sequenceNo:{sequence_no}}}'}


def _proof(answer: dict[str, Any]) -> list[bytes]:
    return [bytes(sibling) for sibling in _ion(answer["Proof"])]


def _check_blocks(control: Any, digest: dict[str, Any]) -> list[Any]:
    """Verify each block by itself, its link and its proof against the digest; give them."""
    tip = _ion(digest["DigestTipAddress"])
    blocks: list[Any] = []
    for number in range(tip["sequenceNo"] + 1):
        answer = control.get_block(
            Name="cars",
            BlockAddress=_address(tip["strandId"], number),
            DigestTipAddress=digest["DigestTipAddress"],
        )
        block = _ion(answer["Block"])
        published.check_block(block, block.get("revisions", []))
        previous = bytes(blocks[-1]["blockHash"]) if blocks else b""
        assert previous == bytes(block["previousBlockHash"])
        assert digest["Digest"] == published.fold(bytes(block["blockHash"]), _proof(answer))
        blocks.append(block)
    assert digest["Digest"] == published.merkle([bytes(block["blockHash"]) for block in blocks])
    return blocks


def _check_revision(control: Any, digest: dict[str, Any], revision: Any) -> Any:
    """Verify a revision and its proof against the digest; give what the ledger has of it."""
    address = revision["blockAddress"]
    answer = control.get_revision(
        Name="cars",
        BlockAddress=_address(address["strandId"], address["sequenceNo"]),
        DocumentId=str(revision["metadata"]["id"]),
        DigestTipAddress=digest["DigestTipAddress"],
    )
    stored = _ion(answer["Revision"])
    leaf = bytes(stored["hash"])
    assert leaf == published.revision_hash(stored)
    assert digest["Digest"] == published.fold(leaf, _proof(answer))
    return stored


def test_the_life_of_an_application(driver: Any, control: Any) -> None:
    """The vehicle registration does all it does, and each block and revision is proven."""
    chapters = list(tell_story(driver, vehicles=6))
    digest = control.get_digest(Name="cars")
    blocks = _check_blocks(control, digest)

    assert set(TABLES) == {str(name) for name in driver.list_tables()}
    assert sum(chapter.revisions for chapter in chapters) == sum(
        len(block.get("revisions", [])) for block in blocks
    )
    history = _run(driver, "SELECT * FROM history(VehicleRegistration)")
    assert {0, 1} <= {revision["metadata"]["version"] for revision in history}
    for revision in history:
        stored = _check_revision(control, digest, revision)
        assert published.ion_hash(revision["data"]) == published.ion_hash(stored["data"])


def test_ownership_is_transferred(driver: Any) -> None:
    """A transfer is one transaction of reads and writes; history keeps the former owner."""
    for statement in ("CREATE TABLE Registration", "CREATE INDEX ON Registration (VIN)"):
        _run(driver, statement)
    _run(driver, "INSERT INTO Registration ?", {"VIN": "v1", "Owner": "Ada"})

    def transfer(txn: Any) -> str:
        rows = txn.execute_statement("SELECT r.Owner FROM Registration AS r WHERE r.VIN = ?", "v1")
        owner = next(iter(rows))["Owner"]
        txn.execute_statement(
            "UPDATE Registration AS r SET r.Owner = ? WHERE r.VIN = ?", "Bo", "v1"
        )
        return str(owner)

    assert "Ada" == driver.execute_lambda(transfer)
    owners = _run(driver, "SELECT VALUE h.data.Owner FROM history(Registration) AS h")
    assert ["Ada", "Bo"] == sorted(map(str, owners))


def test_conflicts_are_tried_again(driver: Any) -> None:
    """Of increments at once each counts once."""
    from pyqldb.config.retry_config import RetryConfig

    _run(driver, "CREATE TABLE Counter")
    _run(driver, "INSERT INTO Counter {'n': 0}")

    def increment(txn: Any) -> None:
        (n,) = txn.execute_statement("SELECT VALUE c.n FROM Counter AS c")
        txn.execute_statement("UPDATE Counter AS c SET c.n = ?", n + 1)

    patient = RetryConfig(retry_limit=100, base=1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(driver.execute_lambda, retry_config=patient), [increment] * 20))

    assert [20] == _run(driver, "SELECT VALUE c.n FROM Counter AS c")


@pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning")  # pyqldb's, reading ahead
@pytest.mark.parametrize("read_ahead", [0, 3])
def test_more_rows_than_a_page(server: Server, read_ahead: int) -> None:
    """Results of more than 200 rows arrive whole, read ahead or not."""
    with connect("cars", endpoint_url=server.url, read_ahead=read_ahead) as driver:
        _run(driver, "CREATE TABLE Row")
        for first in range(0, 410, 40):
            documents = [{"n": n} for n in range(first, min(first + 40, 410))]
            _run(driver, "INSERT INTO Row ?", documents)
        rows = _run(driver, "SELECT VALUE r.n FROM Row AS r")

    assert list(range(410)) == sorted(rows)


def test_a_statement_that_fails_leaves_the_transaction(driver: Any) -> None:
    """A lambda may catch a refused statement and go on: the commit digest still agrees."""
    from botocore.exceptions import ClientError

    _run(driver, "CREATE TABLE Thing")

    def work(txn: Any) -> None:
        with pytest.raises(ClientError, match="No such variable named 'Nowhere'"):
            txn.execute_statement("SELECT * FROM Nowhere WHERE a = ?", 1)
        txn.execute_statement("INSERT INTO Thing ?", {"a": 1})

    driver.execute_lambda(work)
    assert [{"a": 1}] == _run(driver, "SELECT * FROM Thing")


def test_redaction(server: Server, driver: Any, control: Any, folder: Path) -> None:
    """A redacted revision is gone from everywhere; digests and proofs of before still verify."""
    (table,) = _run(driver, "CREATE TABLE Person")
    (inserted,) = _run(driver, "INSERT INTO Person ?", {"Name": SECRET, "GovId": "1"})
    _run(driver, "UPDATE Person AS p SET p.Name = ? WHERE p.GovId = ?", "Ada", "1")
    before = control.get_digest(Name="cars")
    (old,) = _run(driver, "SELECT h.* FROM history(Person) AS h WHERE h.metadata.version = 0")
    hashed = published.ion_hash(old["data"])
    (redacted,) = _run(
        driver,
        "EXEC REDACT_REVISION ?, ?, ?",
        old["blockAddress"],
        table["tableId"],
        inserted["documentId"],
    )
    after = control.get_digest(Name="cars")

    assert 0 == redacted["version"]
    for digest in (before, after):
        stored = _check_revision(control, digest, old)
        assert "data" not in stored
        assert hashed == bytes(stored["dataHash"])
        assert bytes(old["hash"]) == bytes(stored["hash"])
    assert "redactionInfo" in _check_blocks(control, after)[-1]
    _check_blocks(control, before)
    driver.close()
    server.stop()
    assert 4 == check_ledger(folder / "cars.ledger")
    left = [path.name for path in folder.iterdir() if SECRET.encode() in path.read_bytes()]
    assert [] == left


def test_the_session_outlives_errors(driver: Any) -> None:
    """After a refused statement, an abort and an error of its own, a driver works on."""
    from botocore.exceptions import ClientError
    from pyqldb.errors import LambdaAbortedError

    with pytest.raises(ClientError, match="Parser Error"):
        _run(driver, "SELECT FROM")
    with pytest.raises(LambdaAbortedError):
        driver.execute_lambda(lambda txn: txn.abort())
    with pytest.raises(ZeroDivisionError):
        driver.execute_lambda(lambda _: 1 // 0)

    assert [] == list(driver.list_tables())


def test_an_unknown_ledger(server: Server) -> None:
    """A driver on a ledger that there is not is refused when it is first used."""
    from botocore.exceptions import ClientError

    with connect("nowhere", endpoint_url=server.url) as driver, pytest.raises(ClientError):
        driver.list_tables()
