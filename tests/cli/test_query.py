"""`qldb-stream ledger query`: statements in a script."""

from __future__ import annotations

import io
import json
import sys
from functools import partial
from pathlib import Path

import pytest

from qldb_stream.cli import main
from qldb_stream.cli._connections import Execute, open_file
from qldb_stream.cli._query import _print
from qldb_stream.cli._rows import RowPrinter
from qldb_stream.cli._script import Bound
from qldb_stream.errors import OccConflictError
from qldb_stream.ion import IonSlice
from qldb_stream.ledger import Ledger
from tests.cli.conftest import Answer, Run
from tests.cli.support import Screen

SET_UP = "CREATE TABLE Car; INSERT INTO Car << {'vin': 'a', 'miles': 1}, {'vin': 'b'} >>;"


def _run(statement: str, execute: Execute) -> list[IonSlice]:
    return list(execute(statement, ()))


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    """A ledger with two cars."""
    path = tmp_path / "cars.ledger"
    with open_file(str(path), create=True, name="cars") as connection:
        connection.transact(lambda execute: list(execute("CREATE TABLE Car", ())))
        for car in ("{'vin': 'a', 'miles': 1}", "{'vin': 'b'}"):
            statement = f"INSERT INTO Car {car}"
            connection.transact(partial(_run, statement))
    return path


def _lines(answer: Answer) -> list[str]:
    """The lines that were printed; rows come in the order of random ids."""
    return sorted(answer.out.splitlines())


def test_formats(run: Run, cars: Path) -> None:
    """Rows are printed as Ion or JSON, one a line, or as a table."""
    select = "SELECT c.vin, c.miles FROM Car AS c"
    ion = run("ledger", "query", cars, select, "--format", "ion")
    as_json = run("ledger", "query", cars, select, "--format", "json")
    table = run("ledger", "query", cars, select)

    assert (0, ['{vin:"a",miles:1}', '{vin:"b"}'], "") == (ion.code, _lines(ion), ion.err)
    assert ['{"vin":"a","miles":1}', '{"vin":"b"}'] == _lines(as_json)
    words = [word for word in table.out.split() if word.isalnum()]
    assert ["vin", "miles"] == words[:2]
    assert ["1", "a", "b"] == sorted(words[2:])


@pytest.mark.parametrize(
    ("data", "code"), [(b"\xef\xbb\xbfSELECT VALUE 1 FROM Car", 0), (b"SELECT '\xff'", 2)]
)
def test_standard_input_of_an_editor(
    run: Run, cars: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, code: int
) -> None:
    """A byte order mark is skipped there, too, and what is not UTF-8 is wrong usage."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
    answer = run("ledger", "query", cars, "-")

    assert code == answer.code
    assert ("standard input is not utf-8" in answer.err) == (code == 2)


@pytest.mark.parametrize("option", ["--json", "--explain"])
def test_an_error_names_statement_and_line(run: Run, cars: Path, option: str) -> None:
    """Lines and columns are those of the whole text; a lone statement needs no number."""
    text = "SELECT * FROM Car;\n\n-- next\n  SELECT * FROM Nope;\nSELECT 1"
    answer = run("ledger", "query", cars, text, option)
    assert 1 == answer.code
    assert "statement 2 of 3, line 4: " in answer.err
    assert "line 4, column 17" in answer.err
    alone = run("ledger", "query", cars, "\n SELECT *\nFROM Nope", option)
    assert "line 3, column 6" in alone.err
    assert "statement" not in alone.err.lower().replace("ledger query", "")


@pytest.mark.parametrize(("file", "name"), [("my-cars.ledger", "my-cars"), ("a_b.x", "ledger")])
def test_a_new_ledger_is_called_as_its_file(run: Run, tmp_path: Path, file: str, name: str) -> None:
    """As far as a ledger may be called so; the server calls it so, too."""
    run("ledger", "query", tmp_path / file, "CREATE TABLE T", "--create")
    run("ledger", "query", tmp_path / file, "CREATE TABLE U", "--create")
    with Ledger.open(tmp_path / file, read_only=True) as ledger:
        assert name == ledger.name


def test_a_failure_leaves_no_new_ledger(run: Run, tmp_path: Path) -> None:
    """`--create` leaves nothing when nothing was written, and what there was when it was there."""
    path = tmp_path / "new.ledger"
    for statement in ("SELEC", "SELECT * FROM Nope"):
        assert 1 == run("ledger", "query", path, statement, "--create").code
        assert [] == list(tmp_path.iterdir())
    assert 0 == run("ledger", "query", path, "CREATE TABLE T", "--create").code
    assert 1 == run("ledger", "query", path, "SELEC", "--create").code
    assert [path] == list(tmp_path.iterdir())


def test_parameters_and_several_statements(run: Run, cars: Path) -> None:
    """Parameters are Ion text and go to the statements in order; all is one transaction."""
    text = "INSERT INTO Car ?; SELECT VALUE c.made FROM Car AS c WHERE c.vin = ? AND c.made = ?"
    parameters = ["{vin:c,made:2020T}", "c", "2020T"]
    options = [word for value in parameters for word in ("--param", value)]
    answer = run("ledger", "query", cars, text, *options, "--json")
    inserted, selected = answer.json()["statements"]

    assert (0, True) == (answer.code, answer.json()["ok"])
    assert [["documentId"], ["2020T"]] == [list(inserted["rows"][0]), selected["rows"]]
    with Ledger.open(cars, read_only=True) as ledger:
        assert 3 == ledger.digest().tip.sequence_no


def test_from_standard_input_and_from_a_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements may come from `-` or a file; `--create` makes the ledger."""
    path, script = tmp_path / "new.ledger", tmp_path / "set-up.sql"
    script.write_text(SET_UP, encoding="utf-8")
    made = run("ledger", "query", path, "--file", script, "--create", "--ledger", "cars")
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT VALUE c.vin FROM Car AS c;"))
    read = run("ledger", "query", path, "-", "--format", "ion", "--read-only")

    assert (0, "") == (made.code, made.err)
    assert (0, ['"a"', '"b"']) == (read.code, _lines(read))


def test_explaining(run: Run, cars: Path) -> None:
    """`--explain` says how each statement reaches its documents, and runs none."""
    text = "SELECT * FROM Car AS c WHERE c.vin = ?; DELETE FROM Car"
    told = run("ledger", "query", cars, text, "--explain", "--read-only")
    as_object = run("ledger", "query", cars, text, "--explain", "--json")

    assert (0, "") == (told.code, told.err)
    assert "SCAN Car AS c" in told.out
    explanations = [one["explanation"] for one in as_object.json()["statements"]]
    assert told.out == "".join(f"{one}\n" for one in explanations)
    assert 1 == run("ledger", "query", cars, "SELECT * FROM Nowhere", "--explain").code


def test_a_statement_that_fails(run: Run, cars: Path) -> None:
    """A statement that fails is exit code 1; what came before it is not written."""
    answer = run("ledger", "query", cars, "INSERT INTO Car {'vin': 'c'}; SELECT * FROM Nowhere")
    as_object = run("ledger", "query", cars, "SELECT * FROM Nowhere", "--json")
    left = run("ledger", "query", cars, "SELECT VALUE c.vin FROM Car AS c", "--format", "ion")

    assert 1 == answer.code
    assert "No such variable named 'Nowhere'" in answer.err
    assert (1, False) == (as_object.code, as_object.json()["ok"])
    assert ['"a"', '"b"'] == _lines(left)


def test_reading_beside_a_writer(run: Run, cars: Path) -> None:
    """While another process writes, `--read-only` reads, and cannot write."""
    with Ledger.open(cars):
        read = run("ledger", "query", cars, "SELECT * FROM Car", "--read-only")
        write = run("ledger", "query", cars, "INSERT INTO Car {}", "--read-only")
        second = run("ledger", "query", cars, "SELECT * FROM Car")

    assert (0, 2, 2) == (read.code, write.code, second.code)


def test_extensions_are_allowed_on_request(run: Run, cars: Path) -> None:
    """What QLDB did not have runs with `--extensions on`; without, the error names the option."""
    text = "SELECT VALUE c.vin FROM Car AS c ORDER BY c.vin DESC LIMIT 1"
    refused = run("ledger", "query", cars, text)
    allowed = run("ledger", "query", cars, text, "--format", "ion", "--extensions", "on")

    assert 1 == refused.code
    assert "--extensions on" in refused.err
    assert ['"b"'] == _lines(allowed)


def test_limits_are_kept_on_request(run: Run, cars: Path) -> None:
    """A transaction of 41 documents is refused with `--limits qldb`, and committed without."""
    documents = "<< " + ", ".join(["{}"] * 41) + " >>"
    text = f"INSERT INTO Car {documents}"
    refused = run("ledger", "query", cars, text, "--limits", "qldb")
    allowed = run("ledger", "query", cars, text)

    assert (1, 0) == (refused.code, allowed.code)
    assert "40" in refused.err


def test_reads_are_journaled_on_request(run: Run, cars: Path) -> None:
    """A SELECT is a block with `--journal-reads on`, and none without."""
    tips = []
    for more in ((), ("--journal-reads", "on")):
        assert 0 == run("ledger", "query", cars, "SELECT * FROM Car", *more).code
        with Ledger.open(cars, read_only=True) as ledger:
            tips.append(ledger.digest().tip.sequence_no)

    assert [tips[0], tips[0] + 1] == tips


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "give statements"),
        (["SELECT 1", "--file", "x.sql"], "give statements"),
        (["--file", "absent.sql"], "absent.sql cannot be read"),
        (["--file", "latin.sql"], "latin.sql is not UTF-8"),
        (["; -- nothing"], "there is no statement"),
        (["SELECT ?"], "there is 1 `?`, and --param is given 0 times"),
        (["SELECT 1", "--param", "1"], "there are 0 `?`, and --param is given once"),
        (
            ["SELECT ?", "--param", "{"],
            "--param 1: Ion at byte 0: not Ion text, or it ends within a value",
        ),
        (["SELECT ?", "--param", "1 2"], "--param 1 has 2 values"),
        (["SELECT 1", "--region", "x"], "--region is for a URL"),
        (["SELECT 1", "--read-only", "--create"], "contradict"),
        (["SELECT 1", "--read-only", "--journal-reads", "on"], "journals nothing"),
        (["SELECT 1", "--limits", "none"], "'none' is not one of"),
        (["SELECT 1", "--ledger", "boats"], "holds the ledger 'cars', not 'boats'"),
        (["SELECT 1", "--format", "xml"], "'xml' is not one of"),
    ],
)
def test_wrong_usage(
    run: Run,
    cars: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    problem: str,
) -> None:
    """What makes no sense is exit code 2 and one sentence."""
    monkeypatch.chdir(cars.parent)
    Path("latin.sql").write_bytes(b"SELECT '\xe4'")
    answer = run("ledger", "query", cars, *arguments)

    assert (2, 1) == (answer.code, answer.err.count("\n"))
    assert problem in answer.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["http://127.0.0.1:1"], "name one with --ledger"),
        (["http://u:p@127.0.0.1:1", "--ledger", "cars"], "no password in the URL"),
        (["http://127.0.0.1:1", "--ledger", "cars", "--create"], "are for files"),
        (["http://127.0.0.1:1", "--ledger", "cars", "--extensions", "on"], "is for files"),
        (["http://127.0.0.1:1", "--ledger", "cars", "--limits", "qldb"], "--limits is for files"),
        (
            ["http://127.0.0.1:1", "--ledger", "cars", "--journal-reads", "on"],
            "--journal-reads is for files",
        ),
        (["absent.ledger"], "--create makes one"),
        (["plain.txt"], "is not a ledger file"),
    ],
)
def test_wrong_targets(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    problem: str,
) -> None:
    """What is no ledger is exit code 2 and one sentence."""
    monkeypatch.chdir(tmp_path)
    Path("plain.txt").write_text("plain", encoding="utf-8")
    answer = run("ledger", "query", arguments[0], "SELECT 1", *arguments[1:])

    assert (2, 1) == (answer.code, answer.err.count("\n"))
    assert problem in answer.err
    assert not Path("absent.ledger").exists()


def test_a_conflict_before_anything_was_printed(cars: Path) -> None:
    """A transaction that conflicts is run again while it has printed nothing."""
    screen, other = Screen(), iter([True])
    text = "UPDATE Car AS c SET c.miles = 5 WHERE c.vin = 'absent'"
    with open_file(str(cars)) as connection:

        class Meddling(RowPrinter):
            def print(self, rows, write):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
                done = super().print(rows, write)
                if next(other, False):
                    connection.transact(
                        lambda execute: list(execute("INSERT INTO Car {'vin': 'z'}", ()))
                    )
                return done

        _print(connection, [Bound(text, 0, ())], Meddling("ion"), screen.write)
    assert "" == screen.take()


def test_a_conflict_after_rows_were_printed(cars: Path) -> None:
    """Rows that were printed are not printed again: the conflict is told."""
    texts: list[str] = []
    with open_file(str(cars)) as connection:

        def write(text: str) -> None:
            texts.append(text)
            connection.transact(lambda execute: list(execute("INSERT INTO Car {'vin': 'z'}", ())))

        with pytest.raises(OccConflictError):
            _print(
                connection,
                [Bound("SELECT VALUE c.vin FROM Car AS c", 0, ())],
                RowPrinter("ion"),
                write,
            )
    (text,) = texts
    assert ['"a"', '"b"'] == sorted(text.splitlines())


def test_many_rows_are_several_tables(run: Run, cars: Path) -> None:
    """A table has a page of 200 rows; the next rows make another."""
    documents = ",".join("{'n': 1}" for _ in range(201))
    answer = run("ledger", "query", cars, f"INSERT INTO Car << {documents} >>")

    assert 2 == answer.out.count("documentId")


def test_the_shell_needs_a_terminal(cars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal the shell says what scripts use."""
    assert 2 == main(["ledger", "shell", str(cars)])
    assert "qldb-stream ledger query" in capsys.readouterr().err


def test_the_shell_needs_its_extra(run: Run, cars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without prompt_toolkit the shell says what to install."""
    monkeypatch.delitem(sys.modules, "qldb_stream.cli._terminal", raising=False)
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    answer = run("ledger", "shell", cars)

    assert (2, True) == (answer.code, "pip install 'qldb-stream[shell]'" in answer.err)


def test_the_object_on_wrong_usage(run: Run, cars: Path) -> None:
    """With `--json` wrong usage is an object, too."""
    assert {"version": 1, "ok": False, "error": "there is no statement"} == json.loads(
        run("ledger", "query", cars, "", "--json").out
    )
