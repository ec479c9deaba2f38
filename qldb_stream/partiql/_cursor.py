"""
A place in the tokens of one statement, and the errors that can be said there.

Wording follows facts 6.4: `expected <what>, <TYPE> : <text>; <sentence>`. Literals
are named by type only: their text may be somebody's data.
"""

from __future__ import annotations

from typing import Final, NoReturn

from qldb_stream.errors import PartiqlParseError, UnsupportedPartiqlError
from qldb_stream.partiql._lexer import END, IDENT, ION, NUMBER, QUOTED, STRING, locate, tokenize
from qldb_stream.partiql._words import FOLLOW_NAMES, RESERVED_WORDS, STRUCTURE_WORDS

# Each level of nesting costs up to four Python frames here and again when it is compiled;
# Python allows a thousand, and the caller has some of them.
MAX_NESTING: Final = 64

QUOTE_IT: Final = "a reserved word must be quoted to be used as a name"
_NAME_SOURCES: Final = frozenset({"FROM", "JOIN", "UPDATE"})  # an alias may stand behind them
_HAVE_NO_ALIAS: Final = frozenset({"WHERE", "SET", "INSERT", "INTO", "REMOVE", "ON", "TABLE"})
_OPERATOR_WORDS: Final = frozenset({"AND", "OR", "NOT", "IN", "IS", "LIKE", "BETWEEN"})
_TYPE_NAMES: Final = {
    IDENT: "IDENTIFIER",
    QUOTED: "QUOTED_IDENTIFIER",
    STRING: "LITERAL",
    NUMBER: "LITERAL",
    ION: "ION_LITERAL",
    END: "EOF",
    "(": "LEFT_PAREN",
    ")": "RIGHT_PAREN",
    "[": "LEFT_BRACKET",
    "]": "RIGHT_BRACKET",
    "{": "LEFT_CURLY",
    "}": "RIGHT_CURLY",
    "<<": "LEFT_DOUBLE_ANGLE_BRACKET",
    ">>": "RIGHT_DOUBLE_ANGLE_BRACKET",
    ",": "COMMA",
    ":": "COLON",
    ";": "SEMICOLON",
    ".": "DOT",
    "?": "QUESTION_MARK",
}


class Cursor:
    """The tokens of one statement, and how far they have been read."""

    __slots__ = (
        "depth",
        "extensions",
        "kind",
        "kinds",
        "parameter_count",
        "place",
        "starts",
        "text",
        "values",
    )

    def __init__(self, text: str, *, extensions: bool = False) -> None:
        tokens = tokenize(text)
        self.extensions = extensions
        self.text = text
        self.kinds = tokens.kinds
        self.values = tokens.values
        self.starts = tokens.starts
        self.place = 0
        self.kind = tokens.kinds[0]
        self.parameter_count = 0
        self.depth = 0

    @property
    def pos(self) -> int:
        """Offset of the current token."""
        return self.starts[self.place]

    def peek(self, distance: int = 1) -> str:
        """Kind of a later token; END is repeated for ever."""
        place = self.place + distance
        return self.kinds[place] if place < len(self.kinds) else END

    def advance(self) -> str:
        """Step over the current token, which is not END, and return its value."""
        place = self.place
        self.place = place + 1
        self.kind = self.kinds[place + 1]
        return self.values[place]

    def take(self, kind: str) -> bool:
        """Step over the current token if it is of this kind."""
        if self.kind != kind:
            return False
        self.advance()
        return True

    def expect(self, kind: str) -> None:
        """Step over a token that must stand here."""
        if self.kind != kind:
            word = kind.lower()
            what = f"expected keyword {word}" if kind in RESERVED_WORDS else f"expected {kind}"
            self.fail(what)
        self.advance()

    def name(self, purpose: str) -> str:
        """Step over an identifier, quoted or not, and return it."""
        if self.kind not in (IDENT, QUOTED):
            self.fail(f"expected identifier for {purpose}", self.reserved_hint())
        return self.advance()

    def is_word(self, word: str, distance: int = 0) -> bool:
        """Tell whether an unreserved word stands here, in any case."""
        return self.peek(distance) == IDENT and self.values[self.place + distance].lower() == word

    def reserved_hint(self) -> str:
        """Tell how to use a reserved word as a name, when one stands here that seems meant so."""
        follower = self.peek()
        if self.kind not in RESERVED_WORDS or follower == "BY":  # ORDER BY, GROUP BY
            return ""
        if self.kind in STRUCTURE_WORDS and follower not in FOLLOW_NAMES and follower != END:
            return ""
        return QUOTE_IT

    def alias_hint(self) -> str:
        """Tell the same where only the alias of a source might have been meant."""
        for kind in reversed(self.kinds[: self.place]):
            if kind in _NAME_SOURCES:
                return self.reserved_hint()
            if kind in _HAVE_NO_ALIAS:
                break
        return ""

    def enter(self) -> None:
        """Go one level deeper, as far as the bound allows."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail_too_deep()

    def fail_too_deep(self) -> NoReturn:
        """Raise because the bound on nesting is reached."""
        self.fail(f"statement nested deeper than {MAX_NESTING} levels")

    def describe(self) -> str:
        """Say what stands here in the service's way: `KEYWORD : from`."""
        kind = self.kind
        if kind in (STRING, NUMBER, ION, END):
            return _TYPE_NAMES[kind]
        if kind in (IDENT, QUOTED):
            return f"{_TYPE_NAMES[kind]} : {self.values[self.place]}"
        if kind in RESERVED_WORDS:
            family = "OPERATOR" if kind in _OPERATOR_WORDS else "KEYWORD"
            return f"{family} : {kind.lower()}"
        return f"{_TYPE_NAMES.get(kind, 'OPERATOR')} : {kind}"

    def fail(self, problem: str, sentence: str = "", pos: int | None = None) -> NoReturn:
        """Raise a located PartiqlParseError about the current token."""
        line, column = locate(self.text, self.pos if pos is None else pos)
        tail = f"; {sentence}" if sentence else ""
        raise PartiqlParseError(line, column, f"{problem}, {self.describe()}{tail}")

    def refuse_unless_extended(self, feature: str) -> None:
        """Raise a located UnsupportedPartiqlError unless extensions are on."""
        if not self.extensions:
            self.refuse(feature, is_extension=True)

    def refuse(
        self, feature: str, pos: int | None = None, *, is_extension: bool = False
    ) -> NoReturn:
        """Raise a located UnsupportedPartiqlError that names the feature."""
        line, column = locate(self.text, self.pos if pos is None else pos)
        raise UnsupportedPartiqlError(line, column, feature, is_extension)
