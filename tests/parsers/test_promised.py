"""Which file keeps which promise, where several exports have objects of one name."""

from __future__ import annotations

from qldb_stream.parsers.manifest import CompletedManifest, FoundManifest, StartedManifest
from qldb_stream.parsers.promised import keep_promises

KEY = "2024/05/06/12/S.0-9.ion"
ONE, TWO = "a" * 22, "b" * 22


def final(folder: str, export_id: str = ONE, key: str = KEY) -> FoundManifest:
    """Make a final manifest of one object."""
    name = f"{folder}{export_id}.{'S' * 22}.completed.manifest"
    return FoundManifest(name, CompletedManifest((key,)))


def kept(manifests: list[FoundManifest], *names: str) -> list[bool]:
    """Say of each manifest's object whether it is here."""
    found = keep_promises(manifests, names)
    return [found.has(one, KEY) for one in manifests]


def test_each_of_two_exports_needs_an_object_of_its_own() -> None:
    """What is nearest to a manifest is its own, whichever comes first; the other one lacks it."""
    both = [final("x/"), final("y/", TWO)]
    assert [True, True] == kept(both, f"x/{KEY}", f"y/{KEY}.gz")
    assert [True, False] == kept(both, f"x/{KEY}")
    assert [False, True] == kept(both, f"y/{KEY}")
    assert [False, True] == kept(both, "y/S.0-9.ion", "other")
    assert [False, False] == kept(both, "y/S.0-8.ion")


def test_one_export_finds_its_object_anywhere() -> None:
    """A name is enough, wherever it was copied to."""
    assert [True] == kept([final("x/")], "far/away/S.0-9.ion.gz")
    assert [True] == kept([final("", key=f"prefix{KEY}")], "z\\S.0-9.ion")


def test_exports_in_one_folder_share_what_has_one_name() -> None:
    """There one name is one file: the second export wrote over the first one's object."""
    assert [True, True] == kept([final("x/"), final("x/", TWO)], f"x/{KEY}")


def test_a_copy_of_a_manifest_promises_nothing_more() -> None:
    """It is known by its export's id; a renamed one by its folder."""
    assert [True, True] == kept([final("x/"), final("copies/")], f"x/{KEY}")
    renamed = FoundManifest("copies/m", CompletedManifest((KEY, KEY)))
    assert [True, False] == kept([final("x/"), renamed], f"x/{KEY}")


def test_files_with_promised_names_are_claimed() -> None:
    """They are no object of another name that was renamed; an initial manifest claims nothing."""
    begun = FoundManifest("m", StartedManifest("cars", ONE))
    found = keep_promises([begun, final("x/")], ["x/m", f"x/{KEY}", "S.0-9.ion", "S.0-8.ion"])
    assert {1, 2} == found.claimed


def test_what_a_stranger_makes_of_it_costs_little() -> None:
    """With very many manifests and files of one name any file is enough."""
    many = [final(f"{number}/", f"{number:022}") for number in range(2000)]
    assert all(kept(many, *(f"files/{number}/S.0-9.ion" for number in range(10))))
