from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path as FilePath

import pytest

from qldb_stream.errors import (
    PartiqlParseError,
    UnsupportedPartiqlError,
)
from qldb_stream.partiql import MISSING, ParsedStatement, parse_statement
from qldb_stream.partiql._words import RESERVED_WORDS
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


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        (
            "SELECT * FROM T\nWHERE a = 1\nand",
            3,
            1,
            "expected expression, OPERATOR : and; Missing right-hand side expression of infix",
        ),
        ("SELECT * FROM", 1, 14, "expected expression, EOF"),
        ("SELECT FROM T", 1, 8, "expected expression, KEYWORD : from"),
        ("SELECT a.Year FROM T", 1, 10, "invalid path component, KEYWORD : year; " + "QUOTED"),
        ("SELECT a b c FROM T", 1, 12, "expected keyword from, IDENTIFIER : c"),
        ("SELECT (a FROM T", 1, 11, "expected ), KEYWORD : from"),
        ("SELECT {'a' 1} FROM T", 1, 13, "expected :, LITERAL"),
        ("SELECT {'a': 1 'b'} FROM T", 1, 16, "expected ,, LITERAL"),
        (
            "SELECT *, a FROM T",
            1,
            9,
            "expected keyword from, COMMA : ,",
        ),
        (
            "SELECT a, * FROM T",
            1,
            11,
            "unexpected token found, OPERATOR : *; `*` must stand alone in a SELECT list",
        ),
        ("SELECT a IS 5 FROM T", 1, 13, "expected type name, LITERAL"),
        ("SELECT * FROM T WHERE a 5", 1, 25, "unexpected token found, LITERAL"),
        ("SELECT count FROM T", 1, 8, "expected (, KEYWORD : from; QUOTED"),
        ("SELECT * FROM T AS Table", 1, 20, "expected identifier for alias, KEYWORD : table"),
        (
            "SELECT * FROM T JOIN U",
            1,
            23,
            "expected keyword on, EOF",
        ),
        ("SELECT EXTRACT(x FROM a) FROM T", 1, 16, "expected one of: DAY, HOUR, MINUTE, "),
        ("SELECT DATE_ADD(x, 1, a) FROM T", 1, 17, "expected one of: DAY, HOUR, MINUTE, "),
        ("SELECT * FROM history(1)", 1, 23, "expected table name or 'tableId', LITERAL"),
        ("SELECT * FROM history(T, 1, 2, 3)", 1, 15, "expected at most a start and an end time"),
        ("UPDATE << >> SET a = 1", 1, 8, "expected identifier for table, LEFT_DOUBLE_ANGLE"),
        ("UPDATE T WHERE a", 1, 10, "expected keyword set, insert or remove, KEYWORD : where"),
        ("UPDATE T SET 1 = 2", 1, 14, "expected a path that starts with a name"),
        ("UPDATE T SET a 2", 1, 16, "expected =, LITERAL"),
        ("INSERT T ?", 1, 8, "expected keyword into, IDENTIFIER : T"),
        ("CREATE T", 1, 8, "expected keyword table or index, IDENTIFIER : T"),
        ("CREATE TABLE Table", 1, 14, "expected identifier for table, KEYWORD : table; QUOTED"),
        ("CREATE TABLE T WITH (a = 1)", 1, 22, "expected aws_tags, IDENTIFIER : a"),
        ("DROP T", 1, 6, "expected keyword table or index"),
        ('DROP INDEX "i" ON T', 1, 20, "expected keyword with, EOF"),
        ('DROP INDEX "i" ON T WITH (Purge = true)', 1, 27, "expected purge, IDENTIFIER : Purge"),
        ('DROP INDEX "i" ON T WITH (purge = false)', 1, 35, "expected keyword true"),
        ("", 1, 1, "expected statement, EOF"),
        (")", 1, 1, "expected statement, RIGHT_PAREN : )"),
        ("SELEC * FROM T", 1, 7, "expected expression, OPERATOR : *; Missing"),
        ("SELECT `{` FROM T", 1, 8, "invalid Ion literal"),
        ("SELECT `1 2` FROM T", 1, 8, "expected one Ion value between back-ticks, found 2"),
        ("SELECT `` FROM T", 1, 8, "expected one Ion value between back-ticks, found 0"),
        ("SELECT 1e99999 FROM T", 1, 8, "number out of range"),
        ("SELECT " + "9" * 1001 + " FROM T", 1, 8, "number of more than 1000 digits"),
        ("SELECT TRIM(LEADING a) FROM T", 1, 22, "expected keyword from, RIGHT_PAREN : )"),
    ],
)
def test_parser_error(text: str, line: int, column: int, problem: str) -> None:
    """A text that is no PartiQL is refused where it goes wrong, in the service's words."""
    with pytest.raises(PartiqlParseError) as caught:
        parse_statement(text)
    assert (line, column) == (caught.value.line, caught.value.column)
    hint = "a reserved word must be quoted to be used as a name"
    assert caught.value.problem.startswith(problem.replace("QUOTED", hint))


def test_parser_error_reads_as_the_service_wrote_it() -> None:
    """The whole message is the one of facts 6.4."""
    with pytest.raises(PartiqlParseError) as caught:
        parse_statement("SELECT * FROM T\nWHERE a = 1\nand")
    expected = (
        "Parser Error: at line 3, column 1: expected expression, OPERATOR : and; "
        "Missing right-hand side expression of infix operator"
    )
    assert expected == str(caught.value)


EXTENSIONS = {"ORDER BY", "GROUP BY", "HAVING", "LIMIT", "OFFSET", "DISTINCT", "CASE"}


@pytest.mark.parametrize(
    ("text", "column", "feature"),
    [
        ("SELECT * FROM T ORDER BY a", 17, "ORDER BY"),
        ("SELECT * FROM T GROUP BY a", 17, "GROUP BY"),
        ("SELECT * FROM T HAVING a", 17, "HAVING"),
        ("SELECT * FROM T LIMIT 5", 17, "LIMIT"),
        ("SELECT * FROM T OFFSET 5", 17, "OFFSET"),
        ("SELECT * FROM T WHERE a OFFSET 5", 25, "OFFSET"),
        ("SELECT * FROM T UNION SELECT * FROM T", 17, "UNION"),
        ("SELECT * FROM T EXCEPT SELECT * FROM T", 17, "EXCEPT"),
        ("SELECT * FROM T INTERSECT SELECT * FROM T", 17, "INTERSECT"),
        ("SELECT DISTINCT a FROM T", 8, "DISTINCT"),
        ("SELECT COUNT(DISTINCT a) FROM T", 14, "DISTINCT"),
        ("SELECT CASE WHEN a THEN 1 END FROM T", 8, "CASE"),
        ("SELECT * FROM T LEFT JOIN U ON a", 17, "LEFT JOIN"),
        ("SELECT * FROM T RIGHT JOIN U ON a", 17, "RIGHT JOIN"),
        ("SELECT * FROM T FULL OUTER JOIN U ON a", 17, "FULL JOIN"),
        ("SELECT * FROM T CROSS JOIN U", 17, "CROSS JOIN"),
        ("SELECT * FROM T NATURAL JOIN U", 17, "NATURAL JOIN"),
        ("SELECT * FROM UNPIVOT T", 15, "UNPIVOT"),
        ("PIVOT a AT b FROM T", 1, "PIVOT"),
        ("SELECT SUM(a) OVER (b) FROM T", 15, "window function (OVER)"),
        ("SELECT RANK() OVER (ORDER BY a) FROM T", 15, "window function (OVER)"),
        ("SELECT * FROM T WHERE a = ALL (b)", 27, "a comparison with ALL"),
        ("SELECT * FROM T WHERE a < ANY (b)", 27, "a comparison with ANY"),
        ("SELECT * FROM T FETCH FIRST 5 ROWS ONLY", 17, "FETCH"),
        ("SELECT * FROM T LET b AS c", 17, "LET"),
        ("SELECT * FROM T AS t WINDOW w AS (b)", 22, "WINDOW"),
        ("SELECT * FROM (SELECT * FROM T ORDER BY a) AS s", 32, "ORDER BY"),
        ("SELECT CASE a WHEN 1 THEN 2 ELSE 3 END FROM T", 8, "CASE"),
        ("UPDATE T SET a = CASE WHEN b THEN 1 END", 18, "CASE"),
        ("INSERT INTO T (a) VALUES (1)", 15, "INSERT with a column list"),
        ("INSERT INTO T VALUES (1)", 15, "INSERT ... VALUES"),
        ("INSERT INTO T.a VALUE 1", 14, "INSERT INTO a path without FROM"),
        ("INSERT INTO T VALUE ? AT 1", 23, "INSERT INTO a table ... AT"),
        ("INSERT INTO T ? ON CONFLICT DO NOTHING", 17, "ON CONFLICT"),
        ("DELETE FROM T RETURNING MODIFIED OLD *", 15, "RETURNING"),
        ("FROM T DELETE", 8, "FROM ... DELETE"),
        ("FROM T SELECT a", 8, "FROM ... SELECT"),
        ("CREATE UNIQUE INDEX ON T (a)", 8, "CREATE UNIQUE"),
        ("CREATE VIEW v AS a", 8, "CREATE VIEW"),
        ("CREATE INDEX i ON T (a)", 14, "CREATE INDEX with a name"),
        ("CREATE INDEX ON T (a, b)", 21, "index on several fields"),
        ("CREATE INDEX ON T (a.b)", 21, "index on a nested field"),
        ("ALTER TABLE T", 1, "ALTER"),
        ("MERGE INTO T", 1, "MERGE"),
        ("TRUNCATE TABLE T", 1, "TRUNCATE"),
        ("hello", 1, "an expression as a statement"),
        ("1 + 1", 1, "an expression as a statement"),
    ],
)
def test_unsupported(text: str, column: int, feature: str) -> None:
    """What QLDB never had is refused where it stands, and called by its name."""
    with pytest.raises(UnsupportedPartiqlError) as caught:
        parse_statement(text)
    is_extension = feature in EXTENSIONS
    assert UnsupportedPartiqlError(1, column, feature, is_extension) == caught.value


def test_what_extensions_allow_is_said() -> None:
    """Behind the service's two lines stands how a ledger is opened that runs the statement."""
    with pytest.raises(UnsupportedPartiqlError) as caught:
        parse_statement("SELECT * FROM T LIMIT 5")
    assert [
        "Unsupported PartiQL Statement, Errors at:",
        "line 1, column 17: LIMIT is not supported",
        (
            'QLDB did not have it; a ledger opened with extensions="on" '
            "(command line and server: --extensions on) runs it"
        ),
    ] == str(caught.value).splitlines()


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


HINT = "a reserved word must be quoted to be used as a name"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT order FROM T",
        "SELECT from, to FROM T",
        "SELECT (from) FROM T",
        "SELECT SUM(value) FROM T",
        "SELECT * FROM T WHERE date > 1",
        "SELECT * FROM T WHERE t.value = 1 AND user = 2",
        "SELECT * FROM group g",
        "SELECT * FROM order WHERE a = 1",
        "SELECT * FROM T user",
        "SELECT * FROM T, U key",
        "UPDATE T user SET a = 1",
        "INSERT INTO order VALUE {}",
        "CREATE INDEX ON order (a)",
        "SELECT count FROM T",
    ],
)
def test_a_reserved_word_that_was_meant_as_a_name_is_known(text: str) -> None:
    """Where a name may stand, the error says how to make the word one."""
    with pytest.raises(PartiqlParseError, match=f"{HINT}$"):
        parse_statement(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT FROM T",
        "SELECT a, FROM T",
        "SELECT t. FROM T AS t",
        "SELECT * FROM WHERE a = 1",
        "SELECT a FROM T, WHERE a = 1",
        "SELECT * FROM T AS WHERE a = 1",
        "SELECT * FROM T AS t BY WHERE a",
        "SELECT * FROM T WHERE ORDER BY a",
        "SELECT * FROM T WHERE NOT AND a",
        "SELECT * FROM T WHERE a = 1 WHERE b = 2",
        "SELECT * FROM T WHERE a = 1 key",
        "UPDATE T WHERE a",
        "UPDATE T SET WHERE a",
        "DELETE FROM WHERE a",
        "INSERT INTO VALUE {}",
        "FROM T SET a = 1 SET b = 2",
        "CREATE TABLE T key",
        "SELECT COUNT * FROM T",
        "SELECT a b c FROM T",
    ],
)
def test_where_nobody_meant_a_name_none_is_spoken_of(text: str) -> None:
    """A clause whose name or value was forgotten is not taken for a name."""
    with pytest.raises(PartiqlParseError) as caught:
        parse_statement(text)
    assert HINT not in str(caught.value)


# Words that start an expression of their own, or that are reserved only where they are called.
NAMES_SOMETHING = {"TXID", "UTCNOW"}


@pytest.mark.parametrize("word", sorted(RESERVED_WORDS - NAMES_SOMETHING))
def test_reserved_words_must_be_quoted(word: str) -> None:
    """A reserved word is no name, in any case, and the error says what to do about it."""
    for spelling in (word, word.lower(), word.title()):
        for text in (f"SELECT t.{spelling} FROM t", f"CREATE TABLE {spelling}"):
            with pytest.raises(PartiqlParseError, match="a reserved word must be quoted"):
                parse_statement(text)
        parse_statement(f'SELECT t."{spelling}" FROM "{spelling}" AS t')
