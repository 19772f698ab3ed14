from typing import Any

import pytest

from plumbline.errors import InputError
from rag.index.filters import matches
from rag.retrieve.access import EVERYTHING, Access, access

DOCUMENTS: dict[str, dict[str, Any]] = {
    "for all": {},
    "acme's": {"tenant": "acme"},
    "globex's": {"tenant": "globex"},
    "staff": {"groups": ("staff", "board")},
    "acme's board": {"tenant": "acme", "groups": ("board",)},
    "nobody": {"groups": ()},
}


def seen(who: Access) -> set[str]:
    condition = who.condition()
    return {name for name, payload in DOCUMENTS.items() if condition is None or matches(condition, payload)}


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (Access(), {"for all"}),
        (Access("acme"), {"for all", "acme's"}),
        (Access("ACME"), {"for all"}),
        (Access(groups=("board",)), {"for all", "staff"}),
        (Access("acme", ("board", "guests")), {"for all", "acme's", "staff", "acme's board"}),
        (Access("globex", ("staff",)), {"for all", "globex's", "staff"}),
        (EVERYTHING, set(DOCUMENTS)),
    ],
)
def test_documents_are_seen_by_theirs_alone(who: Access, expected: set[str]) -> None:
    assert seen(who) == expected


def test_equal_callers_share_one_filter() -> None:
    assert Access("acme", ("board",)).condition() is Access("acme", ("board",)).condition()


def test_a_call_says_once_who_asks() -> None:
    assert access(None, "acme") == Access("acme")
    assert access(Access("acme", ("board",)), "acme") == Access("acme", ("board",))
    assert access(Access(groups=("board",)), None) == Access(groups=("board",))
    with pytest.raises(InputError, match="tenant is 'acme', and access is for 'globex'"):
        access(Access("globex"), "acme")


def test_groups_may_be_given_as_a_list() -> None:
    assert Access("acme", groups=["board"]) == Access("acme", ("board",))  # type: ignore[arg-type]  # as people do
    assert Access(groups=["board"]).condition() is Access(groups=("board",)).condition()  # type: ignore[arg-type]  # as well


@pytest.mark.parametrize("given", [{"groups": "board"}, {"groups": ("",)}, {"tenant": ""}, {"tenant": 5}])
def test_what_is_no_name_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Access(**given)


@pytest.mark.parametrize("groups", [5, None, "staff", b"staff", {"staff": 1}])
def test_groups_are_names_in_a_row(groups: Any) -> None:
    with pytest.raises(InputError, match="Groups are several names, not "):
        Access(groups=groups)


@pytest.mark.parametrize("given", ["acme", ["staff"], {"tenant": "acme"}, 5, True])
def test_what_is_no_access_is_refused(given: Any) -> None:
    with pytest.raises(InputError, match=r"access is .* of type .* and no Access"):
        access(given, None)
