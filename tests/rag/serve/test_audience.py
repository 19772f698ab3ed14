"""Folders of tenants and groups: each has its own, hidden, and says whose it is."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from plumbline.errors import InputError
from rag.retrieve.access import ANYBODY, EVERYTHING, Access
from rag.serve.audience import EVERYBODY, Audience, access_of, audience_of, may_remove, may_see
from rag.serve.errors import InvalidFieldError
from rag.serve.keys import Key
from rag.serve.uploads import Uploads

AUDIENCES = [
    Audience("acme"),
    Audience("ACME"),
    Audience("acme ", ()),
    Audience("", ()),
    Audience("."),
    Audience(".."),
    Audience("../../etc"),
    Audience("a\\b:c|d"),
    Audience("acme+group=hr"),
    Audience("acme", ("hr",)),
    Audience("acme", ("hr", "legal")),
    Audience("acme", ("hr+group=legal",)),
    Audience(None, ("acme",)),
    Audience(None, ("tenant=acme",)),
    Audience("%41"),
    Audience("A"),
    Audience("株式会社"),
    Audience("é"),
    Audience("e\u0301"),
    Audience("\x00\n"),
    Audience("*?["),
]


@pytest.mark.parametrize("audience", AUDIENCES, ids=repr)
def test_a_folder_says_whose_it_is_and_leads_nowhere_else(audience: Audience, tmp_path: Path) -> None:
    name = audience.folder()
    assert Audience.of_folder(name) == audience
    assert name.startswith(".")
    assert name not in (".", "..")
    assert name.isascii()
    assert not set("/\\:*?[\x00").intersection(name)
    uploads = Uploads.of(tmp_path, audience)
    uploads.folder.mkdir(parents=True)
    assert Path(uploads.source).parent == (tmp_path / "uploads-for").resolve()
    assert Uploads.around(tmp_path, Path(uploads.source) / "a.md") == uploads
    assert list(Uploads.all(tmp_path)) == [Uploads.of(tmp_path), uploads]


def test_no_two_share_a_folder_even_where_capitals_are_small_letters() -> None:
    for one, other in combinations(AUDIENCES, 2):
        assert one.folder().casefold() != other.folder().casefold(), (one, other)


@pytest.mark.parametrize(
    "name", [".", "uploads", ".tenant", ".tenant=%61cme", ".tenant=ACME", ".group=b+group=a+x", ".tenant=%ff", ".git"]
)
def test_other_folders_are_nobodys(name: str, tmp_path: Path) -> None:
    assert Audience.of_folder(name) is None
    (tmp_path / "uploads-for" / name).mkdir(parents=True, exist_ok=True)
    assert list(Uploads.all(tmp_path)) == [Uploads.of(tmp_path)]
    assert Uploads.around(tmp_path, tmp_path.resolve() / "uploads-for" / name / "a.md") is None


def test_a_name_that_no_file_system_takes_is_refused() -> None:
    with pytest.raises(InputError, match="too long"):
        Audience("A" * 90).folder()
    assert Audience.of_folder(".tenant=" + "A" * 240) is None


def test_who_sees_what() -> None:
    key = Key("1", "shop", "acme", ("hr",), "2026-01-01", None, None)
    acme = access_of(key, loopback=True)
    assert acme == Access("acme", ("hr",), key="shop")
    assert (access_of(None, loopback=True), access_of(None, loopback=False)) == (EVERYTHING, ANYBODY)
    public, own, staff, foreign = ({"tenant": t, "groups": g} for t, g in
        ((None, None), ("acme", None), ("acme", ["hr", "x"]), ("globex", ["hr"])))  # fmt: skip
    assert [may_see(acme, each) for each in (public, own, staff, foreign)] == [True, True, True, False]
    assert [may_remove(acme, each) for each in (public, own, staff, foreign)] == [False, True, True, False]
    assert [may_remove(ANYBODY, each) for each in (public, own, staff, foreign)] == [True, False, False, False]
    assert all(may_remove(EVERYTHING, each) for each in (public, own, staff, foreign))
    assert not may_remove(Access("acme"), staff), "a group's document is not its tenant's alone"
    assert not may_remove(acme, {"tenant": ["acme", "globex"], "groups": None}), "it is another's too"


def test_an_upload_is_its_keys_own() -> None:
    acme = Access("acme", ("hr", "legal"))
    assert audience_of(acme, ()) == Audience("acme")
    assert audience_of(acme, ("legal", "hr", "hr")) == Audience("acme", ("hr", "legal"))
    assert audience_of(ANYBODY, ()) == EVERYBODY
    assert audience_of(EVERYTHING, ("any",)) == Audience(None, ("any",))
    assert Audience("acme", ("hr",)).labels == {"tenant": "acme", "groups": ("hr",)}
    assert EVERYBODY.labels == {}
    for access, group in ((acme, "board"), (ANYBODY, "hr"), (EVERYTHING, "")):
        with pytest.raises(InvalidFieldError) as caught:
            audience_of(access, (group,))
        assert [error.field for error in caught.value.errors] == ["group"]
