"""The options that make a filter."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from qldb_stream.cli._filter_options import filter_options
from qldb_stream.errors import UsageError
from qldb_stream.filters import Filter, Mask, MaskMethod

SALT = "a salt of sixteen bytes or more"


def filter_of(*words: str, env: dict[str, str] | None = None) -> Filter | None:
    """The filter that a command gets from its words."""
    given: list[Filter | None] = []

    @click.command()
    @filter_options
    def command(*, block_filter: Filter | None) -> None:
        given.append(block_filter)

    result = CliRunner().invoke(command, words, env=env, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return given[0]


def test_without_options() -> None:
    """Without any option there is no filter."""
    assert filter_of() is None


def test_every_option() -> None:
    """Each option adds its rules."""
    words = [
        *("--exclude-tables", "A, B", "--exclude-tables", "C", "--rename", "P=Q"),
        *("--mask", "P.a.b=drop", "--mask", '*."c=d"=text:x=y', "--mask", "P.ssn=hash"),
        *("--where", "P: x = ':'", "--salt-env", "MY_SALT"),
    ]
    expected = Filter(
        exclude_tables={"A", "B", "C"},
        rename={"P": "Q"},
        masks=[
            Mask("P", ("a", "b"), MaskMethod.DROP),
            Mask("P", ("ssn",), MaskMethod.HASH),
            Mask("*", ("c=d",), MaskMethod.TEXT, "x=y"),
        ],
        where={"P": "x = ':'"},
        salt=SALT.encode(),
    )
    assert expected == filter_of(*words, env={"MY_SALT": SALT})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rules.toml", 'tables = ["P"]\n[mask.P]\na = "drop"\n'),
        ("rules.json", json.dumps({"tables": ["P"], "mask": {"P": {"a": "drop"}}})),
    ],
)
def test_a_file(tmp_path: Path, name: str, text: str) -> None:
    """Options add to the rules of a file."""
    path = tmp_path / name
    path.write_text(text)
    found = filter_of("--filter", str(path), "--mask", "P.b=drop", "--tables", "Q")

    masks = [Mask("P", ("a",), MaskMethod.DROP), Mask("P", ("b",), MaskMethod.DROP)]
    assert Filter(tables={"P", "Q"}, masks=masks) == found


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--rename", "A"], "--rename is OLD=NEW, not 'A'"),
        (["--rename", "A=B", "--rename", "A=C"], "rename of table A is given twice"),
        (["--where", "A"], "--where is TABLE: EXPR"),
        (["--mask", "A=drop"], "--mask is TABLE.PATH=hash"),
        (["--mask", "A.b"], "--mask is TABLE.PATH=hash"),
        (["--mask", "A.b=drop", "--mask", "A.b=hash"], "A.b is masked twice"),
        (
            ["--salt-env", "NO_SUCH_VARIABLE_OF_MINE"],
            "no environment variable NO_SUCH_VARIABLE_OF_MINE",
        ),
    ],
)
def test_words_that_make_no_sense(words: list[str], problem: str) -> None:
    """Words that make no sense are refused with the form that is expected."""
    with pytest.raises(click.UsageError) as caught:
        filter_of(*words)

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("x.toml", "tables = ", "--filter .*x.toml: "),
        ("x.json", "[1]", "expected an object of rules"),
        ("x.json", '{"tables": "P"}', "--filter: tables is no list"),
        ("x.json", '{"mask": {"P": 1}}', "--filter: P is no object"),
        ("x.json", '{"mask": {"P": {"a": "hash"}}}', "needs a salt"),
    ],
)
def test_files_that_make_no_sense(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """A file that holds no rules is refused by its name."""
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(UsageError, match=problem):
        filter_of("--filter", str(path), "--tables", "P", "--mask", "P.x=drop")


def test_the_salt_is_not_shown() -> None:
    """A salt that is too short is refused without being shown."""
    with pytest.raises(UsageError) as caught:
        filter_of("--mask", "P.x=hash", "--salt-env", "MY_SALT", env={"MY_SALT": "hunter2"})

    assert "hunter2" not in str(caught.value)
