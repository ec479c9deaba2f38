"""What is no PartiQL, or none that QLDB had, is refused where it goes wrong."""

from __future__ import annotations

import pytest

from qldb_stream.errors import (
    PartiqlParseError,
    UnsupportedPartiqlError,
)
from qldb_stream.partiql import parse_statement
from qldb_stream.partiql._words import RESERVED_WORDS


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
