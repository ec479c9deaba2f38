"""
PartiQL as QLDB spoke it: text -> tree -> plan -> rows and new documents.

`parse_statement` reads a text, `compile_statement` makes a plan of it, the plan is
executed against whatever tables its `Context` holds. Nothing here knows how documents
are stored. The tree's nodes are in `qldb_stream.partiql.ast`.
"""

from __future__ import annotations

from qldb_stream.partiql._context import (
    Context,
    Lookup,
    LookupUse,
    SourceAccess,
    Sources,
    TableKind,
    TableRef,
    no_such_variable,
)
from qldb_stream.partiql._ddl import Ddl, is_ddl, maybe_ddl, table_of_ddl
from qldb_stream.partiql._holding import size_of
from qldb_stream.partiql._lexer import locate
from qldb_stream.partiql._parse import ParsedStatement, parse_statement
from qldb_stream.partiql._plan import (
    Change,
    InsertPlan,
    ModifyPlan,
    Plan,
    SelectPlan,
    compile_statement,
    evaluate_arguments,
)
from qldb_stream.partiql._predicate import Predicate, compile_predicate
from qldb_stream.partiql._split import StatementText, split_statements
from qldb_stream.partiql._values import MISSING, Bag, index_key, index_key_of
from qldb_stream.partiql._walk import walk
from qldb_stream.partiql._words import RESERVED_WORDS

__all__ = [
    "MISSING",
    "RESERVED_WORDS",
    "Bag",
    "Change",
    "Context",
    "Ddl",
    "InsertPlan",
    "Lookup",
    "LookupUse",
    "ModifyPlan",
    "ParsedStatement",
    "Plan",
    "Predicate",
    "SelectPlan",
    "SourceAccess",
    "Sources",
    "StatementText",
    "TableKind",
    "TableRef",
    "compile_predicate",
    "compile_statement",
    "evaluate_arguments",
    "index_key",
    "index_key_of",
    "is_ddl",
    "locate",
    "maybe_ddl",
    "no_such_variable",
    "parse_statement",
    "size_of",
    "split_statements",
    "table_of_ddl",
    "walk",
]
