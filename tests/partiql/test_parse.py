from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path as FilePath

import pytest

from qldb_stream.errors import (
    PartiqlParseError,
)
from qldb_stream.partiql import MISSING, ParsedStatement, parse_statement
from qldb_stream.partiql.ast import (
    Aggregate,
    Assignment,
    BagExpr,
    Between,
    Binary,
    Call,
    Cast,
    CreateIndex,
    CreateTable,
    Delete,
    DropIndex,
    DropTable,
    Exec,
    Expr,
    FieldStep,
    History,
    Identifier,
    In,
    IndexStep,
    Insert,
    InsertInto,
    IonLiteral,
    Is,
    Like,
    ListExpr,
    Literal,
    Logical,
    Modify,
    Parameter,
    Path,
    Remove,
    Select,
    SelectAll,
    SelectItem,
    SetFields,
    Source,
    Statement,
    StructExpr,
    Unary,
    UndropTable,
    WildcardStep,
)

A, B, C = Identifier("a"), Identifier("b"), Identifier("c")
ONE, TWO = Literal(1), Literal(2)


def statement(text: str) -> Statement:
    """Parse a text to its tree."""
    return parse_statement(text).statement


def expression(text: str) -> Expr:
    """Parse an expression inside the shortest query there is."""
    select = statement(f"SELECT VALUE {text} FROM t")
    assert isinstance(select, Select)
    assert select.value is not None
    return select.value


def test_every_public_statement_parses(vectors: FilePath) -> None:
    """Every statement that was found in public code parses."""
    lines = (vectors / "partiql" / "statements.jsonl").read_text().splitlines()
    assert len(lines) > 100
    for line in lines:
        assert json.loads(line) == parse_statement(json.loads(line)).text


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("1", ONE),
        ("1.50", Literal(Decimal("1.50"))),
        ("1e0", Literal(Decimal("1E+0"))),
        ("-1", Unary("-", ONE)),
        ("'a'", Literal("a")),
        ("true", Literal(value=True)),
        ("FALSE", Literal(value=False)),
        ("null", Literal(None)),
        ("missing", Literal(MISSING)),
        ("`a::1`", IonLiteral("a::1", None)),
        ("?", Parameter(0)),
        ("[1, ?, 2]", ListExpr((ONE, Parameter(0), TWO))),
        ("[]", ListExpr(())),
        ("<< 1 >>", BagExpr((ONE,))),
        ("{'a': 1, b: 2}", StructExpr(((Literal("a"), ONE), (B, TWO)))),
        ("{}", StructExpr(())),
        ('"Order"', Identifier("Order", case_sensitive=True)),
        ("@a", Identifier("a", lexical=True)),
        ("(a)", A),
        ("(1, 2)", ListExpr((ONE, TWO))),
        ("a.b", Path(A, (FieldStep("b"),))),
        ('a."B"[0]', Path(A, (FieldStep("B", case_sensitive=True), IndexStep(Literal(0))))),
        ("a['k'][b]", Path(A, (IndexStep(Literal("k")), IndexStep(B)))),
        ("a[*].b", Path(A, (WildcardStep(fields=False), FieldStep("b")))),
        ("a.*.b", Path(A, (WildcardStep(fields=True), FieldStep("b")))),
        ("a + b * c", Binary("+", A, Binary("*", B, C))),
        ("(a + b) * c", Binary("*", Binary("+", A, B), C)),
        ("a - b - c", Binary("-", Binary("-", A, B), C)),
        ("a || b", Binary("||", A, B)),
        ("a = b", Binary("=", A, B)),
        ("a != b", Binary("<>", A, B)),
        ("a <= 1 + 2", Binary("<=", A, Binary("+", ONE, TWO))),
        ("a AND b AND c", Logical("AND", (A, B, C))),
        ("a OR b AND c", Logical("OR", (A, Logical("AND", (B, C))))),
        ("a AND b OR c", Logical("OR", (Logical("AND", (A, B)), C))),
        ("NOT a = b", Unary("NOT", Binary("=", A, B))),
        ("NOT a AND b", Logical("AND", (Unary("NOT", A), B))),
        ("a IN (1)", In(A, ListExpr((ONE,)))),
        ("a = b NOT IN (1)", In(Binary("=", A, B), ListExpr((ONE,)), negated=True)),
        ("a NOT IN (1, 2)", In(A, ListExpr((ONE, TWO)), negated=True)),
        ("a IN b", In(A, B)),
        ("a IN ?", In(A, Parameter(0))),
        ("a IS NULL", Is(A, "NULL")),
        ("a IS NOT MISSING", Is(A, "MISSING", negated=True)),
        ("a IS BOOLEAN", Is(A, "BOOL")),
        ("a IS DOUBLE PRECISION", Is(A, "FLOAT")),
        ("a IS CHARACTER VARYING(10)", Is(A, "STRING")),
        ("a IS DECIMAL(10, 2)", Is(A, "DECIMAL")),
        ("a BETWEEN 1 AND 2", Between(A, ONE, TWO)),
        (
            "a NOT BETWEEN 1 AND 2 AND b",
            Logical("AND", (Between(A, ONE, TWO, negated=True), B)),
        ),
        ("a LIKE 'x%'", Like(A, Literal("x%"))),
        ("a NOT LIKE b ESCAPE c", Like(A, B, C, negated=True)),
        ("COUNT(*)", Aggregate("COUNT", None)),
        ("count(a)", Aggregate("COUNT", A)),
        ("SUM(ALL a)", Aggregate("SUM", A)),
        ("size(a)", Call("SIZE", (A,))),
        ("utcnow()", Call("UTCNOW", ())),
        ("my_function(a, 1)", Call("MY_FUNCTION", (A, ONE))),
        ("CAST(a AS INT)", Cast(A, "INT")),
        ("DATE_ADD(month, 1, a)", Call("DATE_ADD", (ONE, A), "MONTH")),
        ("EXTRACT(TIMEZONE_HOUR FROM a)", Call("EXTRACT", (A,), "TIMEZONE_HOUR")),
        ("TRIM(a)", Call("TRIM", (A,), "BOTH")),
        ("TRIM(LEADING FROM a)", Call("TRIM", (A,), "LEADING")),
        ("TRIM(BOTH b FROM a)", Call("TRIM", (A, B), "BOTH")),
        ("TRIM(b FROM a)", Call("TRIM", (A, B), "BOTH")),
        ("metadata.txId", Path(Identifier("metadata"), (FieldStep("txId"),))),
    ],
)
def test_expression(text: str, tree: Expr) -> None:
    """Every form of expression becomes the tree that its precedence says."""
    assert tree == expression(text)


T = Source(Identifier("T"))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("SELECT * FROM T", Select((), None, (T,))),
        ("SELECT * FROM T;", Select((), None, (T,))),
        ("SELECT ALL a FROM T", Select((SelectItem(A),), None, (T,))),
        ("SELECT a AS x, b y FROM T", Select((SelectItem(A, "x"), SelectItem(B, "y")), None, (T,))),
        ("SELECT a.*, b FROM T", Select((SelectAll(A), SelectItem(B)), None, (T,))),
        (
            "SELECT VALUE a FROM T AS t AT i BY d WHERE b",
            Select((), A, (Source(Identifier("T"), "t", "i", "d"),), B),
        ),
        ('SELECT a "x" FROM T', Select((SelectItem(A, "x"),), None, (T,))),
        ("SELECT * FROM T t", Select((), None, (Source(Identifier("T"), "t"),))),
        ("SELECT * FROM T BY d", Select((), None, (Source(Identifier("T"), by="d"),))),
        (
            "SELECT * FROM T, @t.l AS x JOIN U AS u ON a = b",
            Select(
                (),
                None,
                (
                    T,
                    Source(Path(Identifier("t", lexical=True), (FieldStep("l"),)), "x"),
                    Source(Identifier("U"), "u", condition=Binary("=", A, B)),
                ),
            ),
        ),
        (
            "SELECT * FROM (SELECT * FROM T) AS x",
            Select((), None, (Source(Select((), None, (T,)), "x"),)),
        ),
        ("SELECT * FROM << 1 >>", Select((), None, (Source(BagExpr((ONE,))),))),
        ("SELECT * FROM history(T)", Select((), None, (Source(History("T")),))),
        (
            "SELECT * FROM History ( 'id', ?, 1 ) AS h",
            Select(
                (),
                None,
                (Source(History("id", is_id=True, bounds=(Parameter(0), ONE)), "h"),),
            ),
        ),
        (
            "SELECT * FROM history",
            Select((), None, (Source(Identifier("history")),)),
        ),
        ("INSERT INTO T ?", Insert(Identifier("T"), Parameter(0))),
        ("INSERT INTO T VALUE {}", Insert(Identifier("T"), StructExpr(()), single=True)),
        (
            'INSERT INTO "T" << ?, ? >>',
            Insert(
                Identifier("T", case_sensitive=True),
                BagExpr((Parameter(0), Parameter(1))),
            ),
        ),
        (
            "UPDATE T AS t SET t.a = 1, b = ? WHERE c",
            Modify(
                (Source(Identifier("T"), "t"),),
                SetFields(
                    (
                        Assignment(Path(Identifier("t"), (FieldStep("a"),)), ONE),
                        Assignment(B, Parameter(0)),
                    )
                ),
                C,
            ),
        ),
        (
            "UPDATE T BY id REMOVE a",
            Modify((Source(Identifier("T"), by="id"),), Remove(A)),
        ),
        (
            "FROM T WHERE c INSERT INTO a VALUE 1 AT 2",
            Modify((T,), InsertInto(A, ONE, TWO), C, from_form=True),
        ),
        (
            "FROM T AS t, t.l AS x SET a = 1",
            Modify(
                (
                    Source(Identifier("T"), "t"),
                    Source(Path(Identifier("t"), (FieldStep("l"),)), "x"),
                ),
                SetFields((Assignment(A, ONE),)),
                from_form=True,
            ),
        ),
        ("DELETE FROM T", Delete(T)),
        ("DELETE FROM T t BY d WHERE a", Delete(Source(Identifier("T"), "t", by="d"), A)),
        ("CREATE TABLE T", CreateTable("T")),
        (
            "create table T with (aws_tags = `{a:'b'}`)",
            CreateTable("T", IonLiteral("{a:'b'}", None)),
        ),
        ("DROP TABLE T", DropTable("T")),
        ('UNDROP TABLE "abc"', UndropTable("abc")),
        ("CREATE INDEX ON T (a)", CreateIndex("T", "a")),
        (
            'DROP INDEX "i" ON T WITH (purge = true)',
            DropIndex("i", "T"),
        ),
        (
            "exec REDACT_revision ?, 't', 'd'",
            Exec("redact_revision", (Parameter(0), Literal("t"), Literal("d"))),
        ),
        ("EXEC nothing;", Exec("nothing", ())),
    ],
)
def test_statement(text: str, tree: Statement) -> None:
    """Every statement of facts 5.1 becomes its tree."""
    assert tree == statement(text)


def test_parameters_are_numbered() -> None:
    """Parameters count from 0 in the order of the text."""
    parsed = parse_statement("UPDATE T SET a = ?, b = ? WHERE c = ?")
    assert 3 == parsed.parameter_count
    assert isinstance(parsed.statement, Modify)
    assert Binary("=", C, Parameter(2)) == parsed.statement.where


def test_offsets_lead_back_to_the_text() -> None:
    """A node knows where it stands in the text."""
    text = "SELECT * FROM Vehicles"
    parsed = parse_statement(text)
    assert isinstance(parsed.statement, Select)
    assert 14 == parsed.statement.sources[0].pos
    assert ParsedStatement(text, parsed.statement, 0) == parsed


def test_ion_literals_keep_their_value() -> None:
    """What stands between back-ticks is read as Ion, annotations and precision included."""
    literal = expression("`a::2017-01T`")
    assert isinstance(literal, IonLiteral)
    assert ("a",) == literal.value.annotations
    assert "a::2017-01T" == literal.text


def nested(*, opening: str, closing: str, depth: int) -> str:
    """Nest a query's expression."""
    return f"SELECT VALUE {opening * depth}1{closing * depth} FROM T"


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(", ")"),
        ("[", "]"),
        ("<<", ">>"),
        ("{'a':", "}"),
        ("NOT ", ""),
        ("- ", ""),
        ("SIZE(", ")"),
        ("CAST(", " AS INT)"),
        ("a[", "]"),
        ("(SELECT VALUE ", " FROM T)"),
        ("NOT (SELECT VALUE ", " FROM T)"),
    ],
)
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    """Fifteen levels of anything parse; ten thousand are a located error."""
    parse_statement(nested(opening=opening, closing=closing, depth=15))
    with pytest.raises(PartiqlParseError, match="nested deeper than"):
        parse_statement(nested(opening=opening, closing=closing, depth=10_000))


def test_chains_are_bounded_by_height() -> None:
    """A chain that leans to the left is bounded; one of AND or OR may be as long as it likes."""
    with pytest.raises(PartiqlParseError, match="nested deeper than"):
        parse_statement("SELECT VALUE 1" + " + 1" * 10_000 + " FROM T")
    parse_statement("SELECT * FROM T WHERE a = 1" + " OR a = 1 AND b = 2" * 5_000)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("SELECT VALUE a" + ".b" * 3_000 + " FROM T", 14),
        ("SELECT VALUE a" + "[0]" * 3_000 + " FROM T", 14),
        ("SELECT VALUE " + "a[" * 60 + "0" + ("]" + ".b" * 100) * 60 + " FROM T", 16),
        ("SELECT * FROM T WHERE a" + ".b" * 3_000 + " = 1", 23),
        ("UPDATE T SET a" + ".b" * 3_000 + " = 1", 14),
        ("SELECT * FROM T" + ", T" * 3_000, 1),
        ("FROM T" + ", T" * 3_000 + " REMOVE a", 1),
    ],
)
def test_paths_and_sources_count_as_levels(text: str, column: int) -> None:
    """Evaluation descends each step and each source, so both are bounded, where they stand."""
    with pytest.raises(PartiqlParseError, match="nested deeper than 128 levels") as caught:
        parse_statement(text)
    assert (1, column) == (caught.value.line, caught.value.column)


def test_errors_never_repeat_literals() -> None:
    """Text inside quotes may be somebody's data: an error names its type only."""
    for text in (
        "SELECT a 'secret' FROM T",
        "INSERT INTO T 'secret' 'secret'",
        "SELECT 'a' `secret`",
    ):
        with pytest.raises(PartiqlParseError) as caught:
            parse_statement(text)
        assert "secret" not in str(caught.value)
