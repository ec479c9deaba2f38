"""Which strings are ids, and what rewriting them leaves alone."""

from __future__ import annotations

import pytest
from amazon.ion.core import IonType as AmazonType
from amazon.ion.simpleion import IonPyDict, IonPySymbol, IonPyText
from hypothesis import given, strategies as st

from qldb_stream.errors import UsageError
from qldb_stream.ion import IonSlice, iter_text, to_slice
from qldb_stream.replay import IdRule, find_ids, parse_id_rule, rewrite_ids

A = "3Qv67yjXEwB9SjmvkuG6Cp"
B = "1uWQKbLAyRD7hpzLiDiYtJ"
C = "0007KbqoyqAIch6XRbQ4iA"
ANY = parse_id_rule("any")
KEEP = parse_id_rule("keep")


def ion(text: str) -> IonSlice:
    """Read one value of Ion text."""
    (value,) = iter_text(text)
    return value


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("keep", IdRule()),
        ("any", IdRule(any_string=True)),
        ("paths=a", IdRule(paths=(("a",),))),
        ("paths=Owners.PersonId, b", IdRule(paths=(("Owners", "PersonId"), ("b",)))),
    ],
)
def test_a_rule_is_read_from_an_option(text: str, rule: IdRule) -> None:
    """`keep`, `any` and `paths=` each give their rule, and a rule its option again."""
    assert rule == parse_id_rule(text) == parse_id_rule(str(rule))


def test_equal_rules_are_written_alike() -> None:
    """Paths come sorted and each once, however they were given."""
    assert "paths=a.b,c" == str(parse_id_rule("paths=c,a.b,c"))


@pytest.mark.parametrize("text", ["", "all", "paths", "paths=", "paths=a..b", "paths=a,,b", "a=b"])
def test_a_bad_rule_is_refused(text: str) -> None:
    """What is none of the three is a UsageError that says what is expected."""
    with pytest.raises(UsageError, match="expected keep, any, or paths="):
        parse_id_rule(text)


def test_keep_names_nothing() -> None:
    """Under `keep` no string is an id."""
    assert frozenset() == find_ids(to_slice({"a": A}), KEEP)


def test_any_finds_strings_at_every_depth() -> None:
    """Under `any` strings in structs, lists and annotated values are ids."""
    document = ion(f'{{a: "{A}", b: [x::"{B}", {{c: ("{C}")}}]}}')
    assert {A, B, C} == find_ids(document, ANY)


def test_paths_find_only_what_they_lead_to() -> None:
    """A path goes through structs and lists, and nowhere else."""
    rule = parse_id_rule("paths=o.p,q")
    document = to_slice({"o": [{"p": A, "x": B}, {"p": [B]}], "q": C, "p": A})
    assert {A, B, C} == find_ids(document, rule)
    assert frozenset() == find_ids(to_slice({"p": A, "o": {"x": A, "p": 3}}), rule)


def test_paths_that_meet_are_one() -> None:
    """A path that goes on where another ends finds what both lead to."""
    rule = parse_id_rule("paths=a,a.b")
    assert {A} == find_ids(to_slice({"a": A}), rule)
    assert {B} == find_ids(to_slice({"a": {"b": B}}), rule)


def test_a_document_without_known_ids_is_the_same_slice() -> None:
    """Where nothing is known, the very slice is handed on."""
    document = to_slice({"a": A})
    assert document is rewrite_ids(document, ANY, {B: C})
    assert document is rewrite_ids(document, KEEP, {A: C})


def test_known_ids_are_exchanged() -> None:
    """Each known id becomes the other; unknown ones stay."""
    document = to_slice({"a": A, "b": [B, A], "c": C})
    expected = to_slice({"a": B, "b": [A, B], "c": C})
    assert expected == rewrite_ids(document, ANY, {A: B, B: A})


def test_only_declared_paths_are_exchanged() -> None:
    """Under `paths` the same id stays elsewhere."""
    document = to_slice({"a": A, "b": A})
    assert to_slice({"a": B, "b": A}) == rewrite_ids(document, parse_id_rule("paths=a"), {A: B})


@pytest.mark.parametrize(
    "text",
    [
        '{{ a: {{{{ "\\x8e\\x96{id}" }}}} }}',  # a clob that looks like the string's bytes
        "{{ a: '{id}' }}",
        "{{ '{id}': 1 }}",
        "{{ a: '{id}'::1 }}",
        '{{ a: "{id}x" }}',
        '{{ a: " {id}" }}',
        '{{ a: {{{{ "{id}" }}}} }}',
    ],
)
def test_what_is_not_a_whole_string_does_not_change(text: str) -> None:
    """Clobs, symbols, field names, annotations and longer strings keep their bytes."""
    document = ion(text.format(id=A))
    assert document == rewrite_ids(document, ANY, {A: B})


def test_bytes_that_look_like_an_id_do_not_change() -> None:
    """A blob that holds a string's very bytes stays, and the string beside it changes."""
    blob = b"\x8e\x96" + A.encode()
    document = to_slice({"blob": blob, "id": A})
    assert to_slice({"blob": blob, "id": B}) == rewrite_ids(document, ANY, {A: B})


def test_annotations_and_everything_else_stay() -> None:
    """Around an exchanged id each type, annotation and precision is what it was."""
    text = (
        'x::{{a: y::z::"{id}", a: 1.50, t: 2007T, n: null.string, s: sym, f: 1e0, '
        'l: [null.list, "{id}"], e: (a "b" {{{{ AAEC }}}}), i: {other}}}'
    )
    document = ion(text.format(id=A, other=10**30))
    assert ion(text.format(id=B, other=10**30)) == rewrite_ids(document, ANY, {A: B})


def test_a_padded_length_is_still_a_string_of_22() -> None:
    """A VarUInt may be padded with zero bits; the string is found all the same."""
    body = b"\x8e\x00\x96" + A.encode()
    document = IonSlice(body, 0, len(body), to_slice("").symbols)
    assert to_slice(B) == rewrite_ids(document, ANY, {A: B})


@pytest.mark.parametrize("before", [1, 500])
def test_a_slice_inside_a_longer_buffer_is_rewritten_alone(before: int) -> None:
    """Only the slice's own bytes are searched and changed, wherever it stands."""
    body = to_slice(A)
    one = body.buf[body.start : body.end]
    start = before * len(one)
    middle = IonSlice(one * (before + 5), start, start + len(one), body.symbols)
    rewritten = rewrite_ids(middle, ANY, {A: B})
    assert to_slice(B) == rewritten
    assert 1 == rewritten.buf.count(B.encode())
    assert rewritten.end == len(rewritten.buf) <= 4096 + len(one)


def _values() -> st.SearchStrategy[object]:
    leaves = st.one_of(
        st.sampled_from([A, B, C, "x" * 22, A[:21], "", A + "!"]),
        st.integers(),
        st.binary(max_size=30),
        st.none(),
        st.sampled_from([A, B]).map(lambda text: IonPySymbol(text, None, None)),
        st.sampled_from([A, B]).map(
            lambda text: IonPyText.from_value(AmazonType.STRING, text, annotations=("note",))
        ),
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["a", "b", A]), inner, max_size=3)
        ),
        max_leaves=12,
    )


@given(_values())
def test_exchanging_twice_gives_the_document_back(value: object) -> None:
    """With an exchange that is its own inverse, rewriting twice changes nothing."""
    document = to_slice({"top": value})
    swap = {A: B, B: A}
    assert document == rewrite_ids(rewrite_ids(document, ANY, swap), ANY, swap)


@given(_values())
def test_rewriting_is_what_a_walk_over_values_does(value: object) -> None:
    """A plain recursive exchange over decoded values gives the same document."""
    document = to_slice({"top": value})
    expected = to_slice(_exchanged(document.decode()))
    assert expected == rewrite_ids(document, ANY, {A: C})


def _exchanged(value: object) -> object:
    if isinstance(value, IonPyDict | dict):
        return {name: _exchanged(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_exchanged(element) for element in value]
    if isinstance(value, IonPyText) and value == A:
        return IonPyText.from_value(AmazonType.STRING, C, annotations=value.ion_annotations)
    if isinstance(value, str) and not isinstance(value, IonPyText) and value == A:
        return C
    return value
