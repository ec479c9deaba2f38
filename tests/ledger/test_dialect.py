"""Statements as official code and samples wrote them, with the rows that they gave."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from qldb_stream.ion import timestamp_ms
from qldb_stream.ledger import Ledger
from tests.ledger.support import NOON_MS, check_journal, memory, run

PEOPLE = [
    {
        "GovId": "LEWISR261LL",
        "Name": "Raul",
        "Address": {"City": "Seattle", "Order": 1},
        "Phones": [{"Kind": "home", "Num": 1}, {"Kind": "cell", "Num": 2}],
    },
    {"GovId": "744-849-301", "Name": "Brent", "Phones": [], "Score": Decimal("2.50")},
]


@pytest.fixture
def people() -> Any:
    """A table Person with two documents and an index on GovId."""
    with memory() as ledger:
        run(ledger, "CREATE TABLE Person;")
        run(ledger, "CREATE INDEX ON Person (GovId);")
        run(ledger, "INSERT INTO Person ?", PEOPLE)
        yield ledger
        check_journal(ledger)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT COUNT(*) FROM Person", [{"_1": 2}]),
        ("SELECT COUNT(Score), SUM(Score) AS s, AVG(Score), MAX(Score) FROM Person", None),
        ("SELECT VALUE COUNT(*) FROM Person WHERE GovId = 'none'", [0]),
        (
            "SELECT p.Name, 1 + 1 FROM Person AS p WHERE p.GovId = 'LEWISR261LL'",
            [{"Name": "Raul", "_2": 2}],
        ),
        ("select NAME from Person as P where p.govid = 'LEWISR261LL'", [{"NAME": "Raul"}]),
        ("SELECT p.Address.\"Order\" FROM Person p WHERE p.Name LIKE 'R_u%'", [{"Order": 1}]),
        (
            "SELECT VALUE p.Address['City'] FROM Person p WHERE p.Address IS NOT MISSING",
            ["Seattle"],
        ),
        ("SELECT VALUE ph.Num FROM Person AS p, @p.Phones AS ph WHERE ph.Kind = 'cell'", [2]),
        (
            "SELECT VALUE [i, ph.Kind] FROM Person AS p, p.Phones AS ph AT i",
            [[0, "home"], [1, "cell"]],
        ),
        ("SELECT VALUE p.Phones[1].Kind FROM Person AS p WHERE SIZE(p.Phones) > 1", ["cell"]),
        ("SELECT VALUE Name FROM Person WHERE GovId IN ('x', '744-849-301')", ["Brent"]),
        ("SELECT VALUE Name FROM Person WHERE Score BETWEEN 2 AND 3", ["Brent"]),
        ("SELECT VALUE Name FROM Person WHERE Score IS NULL", ["Raul"]),
        (
            "SELECT VALUE a.Name FROM Person a JOIN Person b ON a.GovId = b.GovId AND b.Score > 2",
            ["Brent"],
        ),
        (
            "SELECT VALUE s.n FROM (SELECT p.Name AS n FROM Person AS p) AS s WHERE s.n = 'Raul'",
            ["Raul"],
        ),
        (
            "SELECT VALUE Name FROM Person /* all */ WHERE true -- of\nAND GovId LIKE '744%' ;",
            ["Brent"],
        ),
        (
            "SELECT VALUE data.Name FROM _ql_committed_Person c WHERE c.data.GovId = '744-849-301'",
            ["Brent"],
        ),
        ("SELECT VALUE metadata.version FROM history(Person) WHERE data.Name = 'Raul'", [0]),
        ("SELECT COUNT(*) AS n FROM history(Person, `2024-05-06`) AS h", [{"n": 2}]),
        (
            "SELECT COUNT(*) AS n FROM history(Person, `2024-05-05T`, `2024-05-06T`) AS h",
            [{"n": 0}],
        ),
        ("SELECT UTCNOW() FROM << 0 >>", [{"_1": timestamp_ms(NOON_MS)}]),
        (
            "SELECT VALUE name FROM information_schema.user_tables WHERE status = 'ACTIVE'",
            ["Person"],
        ),
        (
            "SELECT name FROM information_schema.user_tables WHERE status = 'ACTIVE'",
            [{"name": "Person"}],
        ),
        ("SELECT VALUE indexes[0].expr FROM information_schema.user_tables", ["[GovId]"]),
    ],
)
def test_a_query(people: Ledger, text: str, expected: Any) -> None:
    """Each idiom gives the rows that facts 5.2 to 5.4 promise."""
    if expected is None:
        half = Decimal("2.50")
        expected = [{"_1": 1, "s": half, "_3": half, "_4": half}]
    assert expected == run(people, text)


def test_documents_are_found_by_their_ids(people: Ledger) -> None:
    """BY binds the id of the user view, metadata.id is the same one; both can be parameters."""
    (first,) = run(people, "SELECT p_id, p.Name FROM Person AS p BY p_id WHERE p.Name = 'Raul'")
    document_id = first["p_id"]
    assert {"p_id": document_id, "Name": "Raul"} == first
    for text in (
        "SELECT VALUE Name FROM Person BY r_id WHERE r_id = ?",
        "SELECT VALUE c.data.Name FROM _ql_committed_Person AS c WHERE c.metadata.id = ?",
        "SELECT VALUE h.data.Name FROM history(Person) AS h WHERE h.metadata.id = ?",
    ):
        assert ["Raul"] == run(people, text, document_id)
    day = datetime(2024, 5, 5, tzinfo=UTC)
    text = "SELECT VALUE metadata.version FROM history(Person, ?) WHERE metadata.id = ?"
    assert [0] == run(people, text, day, document_id)
    changed = "UPDATE Person AS p BY pid SET p = ? WHERE pid = ?"
    assert [{"documentId": document_id}] == run(people, changed, {"New": True}, document_id)
    assert [{"New": True}] == run(people, "SELECT * FROM Person AS p BY i WHERE i = ?", document_id)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("UPDATE Person SET Score = Score || 'x' WHERE Name = 'Raul'", "Score", [Decimal("2.50")]),
        (
            "UPDATE Person AS p SET p.Address.Zip = 5, p.New = [1] WHERE p.Name = 'Raul'",
            "New",
            [[1]],
        ),
        (
            "UPDATE Person AS p REMOVE p.Address.City WHERE p.Name = 'Raul'",
            "Address",
            [{"Order": 1}],
        ),
        (
            "FROM Person AS p WHERE p.Name = 'Raul' INSERT INTO p.Address VALUE 7 AT 'x'",
            "Address.x",
            [7],
        ),
        ("FROM Person AS p WHERE p.Name = 'Raul' SET p.Phones[0].Num = 9", "Phones[0].Num", [9]),
        (
            "FROM Person AS p WHERE p.Name = 'Raul' INSERT INTO p.Phones VALUE 8 AT 0",
            "Phones[0]",
            [8],
        ),
        ("FROM Person AS p WHERE p.Name = 'Raul' INSERT INTO p.Phones VALUE 8", "Phones[2]", [8]),
        ("FROM Person AS p, @p.Phones AS x WHERE x.Kind = 'home' REMOVE x", "Phones[0].Num", [2]),
        ("FROM Person WHERE Name = 'Brent' REMOVE Person", "Name", ["Raul"]),
        ("DELETE FROM Person AS p WHERE p.GovId = '744-849-301'", "Name", ["Raul"]),
        ("UPDATE Person SET Sack = << 1, 'a' >> WHERE Name = 'Raul'", "Sack", [[1, "a"]]),
        (
            "UPDATE Person SET T = TXID() WHERE T = 'never' OR Name = 'Raul'",
            "Name",
            ["Raul", "Brent"],
        ),
    ],
)
def test_a_change(people: Ledger, text: str, path: str, expected: list[Any]) -> None:
    """Each form of change does to its document what facts 5.1 say, and answers its id."""
    (row,) = run(people, text)
    assert 22 == len(row["documentId"])
    found = run(people, f"SELECT VALUE p.{path} FROM Person AS p WHERE p.{path} IS NOT NULL")
    assert sorted(expected) == sorted(found)
