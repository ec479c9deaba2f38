"""What operations tell an execution's clock and its account of memory; counted, never timed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql import Context, ModifyPlan, SelectPlan, compile_statement, parse_statement
from qldb_stream.partiql._holding import Holding
from qldb_stream.partiql._order import sort_key
from tests.partiql.tables import Tables, sliced

HUGE = (1 << 1_000_000) - 1

# The ledger asks its clock once in 1,024 rows.
AN_ASKING = 1024


class TooMuchError(Exception):
    """More is held than the test allows."""


class Account:
    """Counts rows of work and bytes held, as an execution's owner does."""

    def __init__(self, most_bytes: int = 1 << 40) -> None:
        self.most_bytes = most_bytes
        self.rows = 0
        self.held = 0
        self.peak = 0

    def check(self, rows: int = 1) -> None:
        """Count work."""
        self.rows += rows

    def hold(self, more: int) -> None:
        """Count what is held."""
        self.held += more
        self.peak = max(self.peak, self.held)
        if more > 0 and self.held > self.most_bytes:
            raise TooMuchError


def select(expression: str, source: str = "T AS t") -> str:
    """Write a query for one value a row."""
    return f"SELECT VALUE {expression} FROM {source}"


def execute(text: str, account: Account, *parameters: Any, rows: int = 3) -> list[Any]:
    """Run a query over a table of `rows` documents with long ints."""
    tables = Tables({"T": sliced(*({"n": HUGE + number} for number in range(rows)))})
    plan = compile_statement(parse_statement(text, extensions=True))
    assert isinstance(plan, SelectPlan)
    context = Context(tables, parameters, check=account.check, hold=account.hold)
    return list(plan.iter_rows(context))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT VALUE 1 FROM T AS t ORDER BY t.n",
        "SELECT VALUE 1 FROM T AS t ORDER BY t.n DESC LIMIT 1",
        "SELECT DISTINCT t.n FROM T AS t",
        "SELECT COUNT(*) FROM T AS t GROUP BY t.n",
        "SELECT COUNT(DISTINCT t.n) FROM T AS t",
        "SELECT MAX(t.n) FROM T AS t",
        "SELECT MIN(t.n) FROM T AS t",
        "SELECT VALUE t.n = 1.5 FROM T AS t",
        "SELECT VALUE [t.n] = [1.5] FROM T AS t",
        "SELECT VALUE t.n < 1.5 FROM T AS t",
        "SELECT VALUE t.n BETWEEN 1.5 AND 2 FROM T AS t",
        "SELECT VALUE t.n IN (1.5, 2.5) FROM T AS t",
        "SELECT VALUE t.n IN [1.5] FROM T AS t",
        "SELECT VALUE NULLIF(t.n, 1.5) FROM T AS t",
        "SELECT VALUE CAST(t.n AS BOOLEAN) FROM T AS t",
        "SELECT VALUE CASE t.n WHEN 1.5 THEN 1 END FROM T AS t",
    ],
)
def test_long_ints_are_charged(text: str) -> None:
    """For each row the clock is looked at about once."""
    account = Account()
    execute(text, account)
    assert account.rows > 3 * AN_ASKING * 3 // 4


def test_a_total_is_charged_again_for_each_row() -> None:
    """A long maximum is compared with every later row, however short that is."""
    account = Account()
    tables = Tables({"T": sliced({"n": HUGE}, *({"n": Decimal(1)} for _ in range(8)))})
    plan = compile_statement(parse_statement("SELECT VALUE MAX(t.n) FROM T AS t"))
    assert isinstance(plan, SelectPlan)
    assert [HUGE] == list(plan.iter_rows(Context(tables, check=account.check)))
    assert account.rows > 8 * AN_ASKING * 3 // 4


def test_long_lists_are_charged() -> None:
    """Four items that are looked at count as a row."""
    account = Account()
    assert 3 == len(execute("SELECT VALUE t.n IN ? FROM T AS t", account, ["x"] * 40_000))
    assert account.rows > 3 * 10_000


def test_short_values_are_not() -> None:
    """What most statements compare counts as the row that it stands in."""
    account = Account()
    text = "SELECT t.a AS b FROM <<{'a': 1, 'c': 'x'}>> AS t WHERE t.a < 1.5 AND t.c = ? ORDER BY b"
    assert [{"b": 1}] == execute(text, account, "x")
    assert (1, 0) == (account.rows, account.held)


@pytest.mark.parametrize("target", ["STRING", "SYMBOL", "DECIMAL", "FLOAT"])
def test_long_ints_are_not_cast(target: str) -> None:
    """They are refused before a decimal is made of them."""
    with pytest.raises(PartiqlEvaluationError, match="number out of range"):
        execute(select(f"CAST(t.n AS {target})"), Account())


@pytest.mark.parametrize("expression", ["t.n + 1.5", "1.5 * t.n", "t.n - 1", "t.n / 0.5"])
def test_long_ints_are_no_operands_beside_decimals(expression: str) -> None:
    """As beside ints, and before a decimal is made of them."""
    with pytest.raises(PartiqlEvaluationError, match="number out of range"):
        execute(select(expression), Account())
    with pytest.raises(PartiqlEvaluationError, match="number out of range"):
        execute(select(f"AVG({expression})"), Account())
    with pytest.raises(PartiqlEvaluationError, match="number out of range"):
        execute("SELECT VALUE AVG(t.n) FROM T AS t", Account())


NUMBERS = (
    st.integers()
    | st.integers(0, 9_000).map(lambda bits: 1 << bits)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@given(st.lists(NUMBERS, max_size=6))
def test_sorted_numbers_are_in_order(numbers: list[Any]) -> None:
    """Also long ints, which are compared as decimals."""
    assert sorted(numbers) == sorted(numbers, key=sort_key)


TEXT = "x" * 1000
BUILT = "u || u"
HELD = 2 * len(TEXT)


@pytest.mark.parametrize(
    "expression",
    [
        f"{BUILT} = ({BUILT})",
        f"{BUILT} <> ({BUILT} || '')",
        f"{BUILT} < ({BUILT})",
        f"{BUILT} BETWEEN 'a' AND {BUILT}",
        f"{BUILT} BETWEEN {BUILT} AND 'x'",
        f"{BUILT} IN ('y', {BUILT})",
        f"({BUILT}) IN [{BUILT}]",
        BUILT + " IN (SELECT VALUE x || '' FROM [u] AS x)",
        f"{BUILT} LIKE {BUILT}",
        f"{BUILT} LIKE 'xx' ESCAPE SUBSTRING({BUILT}, 1, 1)",
        f"COALESCE({BUILT}, {BUILT})",
        f"NULLIF({BUILT}, {BUILT})",
        f"SUBSTRING({BUILT}, CHAR_LENGTH({BUILT}))",
        f"[{BUILT}][CHAR_LENGTH({BUILT})]",
        f"CASE {BUILT} WHEN {BUILT} THEN 1 END",
    ],
)
def test_operands_are_held_while_others_are_evaluated(expression: str) -> None:
    """What was built first counts until what comes behind it is there, and no longer."""
    text = select(expression, "<<{'u': ?}>> AS t")
    account = Account()
    (_,) = execute(text, account, TEXT)
    assert 0 == account.held
    assert account.peak >= 2 * HELD
    for most_bytes in range(len(TEXT), account.peak - 100, 500):
        limited = Account(most_bytes)
        with pytest.raises(TooMuchError):
            execute(text, limited, TEXT)
        assert 0 == limited.held


@pytest.mark.parametrize("operator", ["+", "*", "||", "="])
def test_nested_operands_add_up(operator: str) -> None:
    """Each level holds what is on its left, whatever its kind is."""
    nested = "CAST('1' AS SYMBOL)"
    for _ in range(20):
        nested = f"({BUILT}) {operator} ({nested})"
    account = Account(19 * HELD)
    with pytest.raises(TooMuchError):
        execute(select(nested, "<<{'u': ?}>> AS t"), account, TEXT)
    assert 0 == account.held


def test_collections_are_held_while_they_are_ranged_over() -> None:
    """One that was built, and one of a sub-query; a path into a row costs nothing."""
    text = (
        "SELECT VALUE 1 FROM <<{'u': ?}>> AS t, [t.u || t.u] AS a, (SELECT VALUE x FROM [t.u] AS x)"
    )
    account = Account()
    assert [1] == execute(text, account, TEXT)
    assert account.peak > HELD + len(TEXT)
    path = Account()
    assert [1] == execute(
        "SELECT VALUE 1 FROM <<?>> AS t, t.a AS a, t.b[0] AS b", path, {"a": [TEXT], "b": [TEXT]}
    )
    assert path.peak < 2 * HELD
    assert (0, 0) == (account.held, path.held)


def test_lookups_are_held_while_their_rows_go_by() -> None:
    """What a field must equal is known as long as rows are read."""
    account = Account()
    text = "SELECT VALUE 1 FROM <<?>> AS u, T AS t WHERE t.n IN (u || u, u || u || u)"
    assert [] == execute(text, account, TEXT)
    assert account.peak > 5 * len(TEXT)
    assert 0 == account.held


def test_sort_keys_are_held_both_ways() -> None:
    """Descending keys take as much as ascending ones."""
    peaks = []
    for direction in ("ASC", "DESC"):
        account = Account()
        execute(select("1", f"T AS t ORDER BY t.n {direction}"), account)
        peaks.append(account.peak)
        assert 0 == account.held
    assert peaks[0] == peaks[1] > 3 * 120_000


def test_long_totals_are_held() -> None:
    """A group's maximum has as many digits as its rows."""
    account = Account()
    execute("SELECT MAX(t.n) FROM T AS t", account)
    assert account.peak > HUGE.bit_length() // 8
    assert 0 == account.held


@pytest.mark.parametrize(
    "change",
    [
        "SET a = t.u || t.u, b = t.u || t.u",
        "INSERT INTO t.l VALUE (t.u || t.u || t.u || t.u)",
    ],
)
def test_what_changes_build_is_held(change: str) -> None:
    """Until all rows are known, each row's new values are there."""
    tables = Tables({"T": sliced(*[{"u": TEXT, "l": []}] * 10)})
    plan = compile_statement(parse_statement(f"FROM T AS t {change}"))
    assert isinstance(plan, ModifyPlan)
    account = Account()
    assert 10 == len(plan.changes(Context(tables, hold=account.hold)))
    assert account.peak > 10 * 4 * len(TEXT)
    assert 0 == account.held


def test_nothing_is_held_for_who_does_not_ask() -> None:
    """Without limits nothing is counted."""
    holding = Holding([Context(Tables({}))])
    holding.grow(5)
    holding.add("x")
    with holding:
        pass


def test_decimals_stay_as_they_are() -> None:
    """A cast to text takes a decimal's own digits."""
    assert ["1.50"] == execute(
        "SELECT VALUE CAST(? AS STRING) FROM <<0>>", Account(), Decimal("1.50")
    )
