"""Hypothesis strategies for syntax trees."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
from hypothesis import strategies as st

from qldb_stream.partiql import MISSING
from qldb_stream.partiql.ast import (
    Aggregate,
    Assignment,
    BagExpr,
    Between,
    Binary,
    Call,
    Case,
    Cast,
    Clauses,
    CreateIndex,
    CreateTable,
    Delete,
    DropIndex,
    DropTable,
    Exec,
    Expr,
    FieldStep,
    GroupKey,
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
    Path,
    Remove,
    Select,
    SelectAll,
    SelectItem,
    SetFields,
    SortKey,
    Source,
    Statement,
    StructExpr,
    Unary,
    UndropTable,
    WildcardStep,
)

FIELDS = ("a", "b", "C", "Name", "txId")

names = st.sampled_from(FIELDS)
quoted_names = st.text(min_size=1, max_size=5) | st.sampled_from(["select", "Order", 'say "x"'])
identifiers = st.builds(Identifier, names, lexical=st.booleans()) | st.builds(
    Identifier, quoted_names, case_sensitive=st.just(value=True)
)
plain_names = st.builds(Identifier, names)
decimals = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=0, max_value=10**6, places=3
)
literals = st.builds(
    Literal,
    st.none()
    | st.booleans()
    | st.integers(min_value=0, max_value=10**30)
    | decimals
    | st.just(Decimal("1E+2"))
    | st.text(max_size=6)
    | st.just(MISSING),
)
ion_literals = st.sampled_from(
    ["a::1", "2017T", "null.int", "{a: 'x'}", '"back`tick"', "(+ 1)"]
).map(lambda text: IonLiteral(text, None))
types = st.sampled_from(["NULL", "MISSING", "INT", "STRUCT", "STRING", "BAG", "ANY", "FLOAT"])
flags = st.booleans()


def expressions() -> st.SearchStrategy[Expr]:
    """Expressions of every form, sub-queries included."""
    return st.recursive(literals | ion_literals | identifiers, _compound, max_leaves=8)


def _compound(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    """Put smaller expressions together; hides how, for else a strategy's repr explodes."""
    options = _forms(inner)

    @st.composite
    def compound(draw: st.DrawFn) -> Expr:
        return draw(options)

    return compound()


def _forms(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    """Every form of expression that has parts."""
    some = st.lists(inner, max_size=3).map(tuple)
    operators = st.sampled_from(["+", "-", "*", "/", "%", "||", "=", "<>", "<", "<=", ">", ">="])
    steps = st.lists(
        st.builds(FieldStep, names) | st.builds(IndexStep, inner), min_size=1, max_size=3
    ).map(tuple)
    return st.one_of(
        st.builds(Unary, st.sampled_from(["NOT", "-", "+"]), inner),
        st.builds(Binary, operators, inner, inner),
        st.builds(
            Logical,
            st.sampled_from(["AND", "OR"]),
            st.lists(inner, min_size=2, max_size=4).map(tuple),
        ),
        st.builds(In, inner, st.builds(ListExpr, some) | identifiers, flags),
        st.builds(Is, inner, types, flags),
        st.builds(Between, inner, inner, inner, flags),
        st.builds(Like, inner, inner, st.none() | inner, flags),
        st.builds(ListExpr, some),
        st.builds(BagExpr, some),
        st.builds(
            Case,
            st.none() | inner,
            st.lists(st.tuples(inner, inner), min_size=1, max_size=2).map(tuple),
            st.none() | inner,
        ),
        st.builds(StructExpr, st.lists(st.tuples(inner, inner), max_size=3).map(tuple)),
        st.builds(Path, inner, steps),
        _calls(inner, some),
        _selects(inner),
    )


def _calls(inner: st.SearchStrategy[Expr], some: Any) -> st.SearchStrategy[Expr]:
    """Calls of every syntax."""
    parts = st.sampled_from(["YEAR", "MONTH", "SECOND"])
    one, two = st.tuples(inner), st.tuples(inner, inner)
    ends = st.sampled_from(["BOTH", "LEADING", "TRAILING"])
    return st.one_of(
        st.builds(Call, st.sampled_from(["SIZE", "UTCNOW", "COALESCE", "FOO", "LOWER"]), some),
        st.builds(Call, st.sampled_from(["DATE_ADD", "DATE_DIFF"]), two, parts),
        st.builds(Call, st.just("EXTRACT"), one, parts | st.just("TIMEZONE_HOUR")),
        st.builds(Call, st.just("TRIM"), one | two, ends),
        st.builds(Cast, inner, types),
        st.builds(Aggregate, st.sampled_from(["SUM", "COUNT", "MIN", "MAX", "AVG"]), inner, flags),
        st.just(Aggregate("COUNT", None)),
    )


def _histories(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    bounds = st.lists(inner, max_size=2).map(tuple)
    return st.builds(History, quoted_names, flags, bounds)


def _sources(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[tuple[Source, ...]]:
    """FROM clauses: the first source has no ON."""
    item = plain_names | st.builds(BagExpr, st.tuples(inner)) | _histories(inner)
    alias = st.none() | quoted_names
    first = st.builds(Source, item, alias, alias, alias)
    more = st.lists(st.builds(Source, item, alias, alias, alias, st.none() | inner), max_size=2)
    return st.tuples(first, more).map(lambda both: (both[0], *both[1]))


def _all_clauses(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Clauses | None]:
    """What may follow WHERE: most often nothing."""
    alias = st.none() | quoted_names
    group_keys = st.lists(st.builds(GroupKey, inner, alias), max_size=2).map(tuple)
    nulls = st.sampled_from([None, True, False])
    sort_keys = st.lists(st.builds(SortKey, inner, flags, nulls), max_size=2).map(tuple)
    maybe = st.none() | inner
    made = st.builds(Clauses, flags, group_keys, alias, maybe, sort_keys, maybe, maybe)
    return st.none() | made.map(_sensible)


def _sensible(clauses: Clauses) -> Clauses | None:
    """Take GROUP AS away where there is no GROUP BY, and the whole where it says nothing."""
    if not clauses.group_by:
        clauses = attrs.evolve(clauses, group_as=None)
    return None if clauses == Clauses() else clauses


def _selects(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Select]:
    """Queries of every projection."""
    clauses = _all_clauses(inner)
    column = st.builds(SelectItem, inner, st.none() | quoted_names) | st.builds(
        SelectAll, plain_names
    )
    where = st.none() | inner
    return st.one_of(
        st.builds(
            Select,
            st.lists(column, max_size=3).map(tuple),
            st.none(),
            _sources(inner),
            where,
            clauses,
        ),
        st.builds(Select, st.just(()), inner, _sources(inner), where, clauses),
    )


def targets() -> st.SearchStrategy[Expr]:
    """What SET, INSERT INTO and REMOVE may name."""
    step = st.one_of(
        st.builds(FieldStep, names),
        st.builds(FieldStep, quoted_names, st.just(value=True)),
        st.builds(IndexStep, literals),
    )
    path = st.builds(Path, plain_names, st.lists(step, min_size=1, max_size=3).map(tuple))
    return plain_names | path


def statements() -> st.SearchStrategy[Statement]:
    """Statements of every kind."""
    inner = expressions()
    where = st.none() | inner
    table = st.builds(Source, plain_names, st.none() | quoted_names, by=st.none() | quoted_names)
    operation = st.one_of(
        st.builds(
            SetFields,
            st.lists(st.builds(Assignment, targets(), inner), min_size=1, max_size=3).map(tuple),
        ),
        st.builds(InsertInto, targets(), inner, st.none() | inner),
        st.builds(Remove, targets()),
    )
    return st.one_of(
        _selects(inner),
        st.builds(Insert, plain_names, inner, flags),
        st.builds(Modify, st.tuples(table), operation, where),
        st.builds(Modify, _sources(inner), operation, where, st.just(value=True)),
        st.builds(Delete, table, where),
        st.builds(CreateTable, quoted_names, st.none() | ion_literals),
        st.builds(DropTable, quoted_names),
        st.builds(UndropTable, quoted_names),
        st.builds(CreateIndex, quoted_names, quoted_names),
        st.builds(DropIndex, quoted_names, quoted_names),
        st.builds(
            Exec, st.just("redact_revision"), st.lists(inner, min_size=1, max_size=3).map(tuple)
        ),
    )


def wildcard_paths() -> st.SearchStrategy[Expr]:
    """Paths with a wildcard inside, which parse and are refused later."""
    steps = st.tuples(st.builds(WildcardStep, flags), st.builds(FieldStep, names))
    return st.builds(Path, plain_names, steps)
