"""What a question says about its documents: certain where it names them, likely where it may."""

from __future__ import annotations

import pytest

from rag.retrieve.question_filters import draw
from rag.retrieve.question_filters_mentions import mentions
from rag.retrieve.question_filters_names import identity, index_of, words_of

FILES = [
    "NORTHWIND_2021_10K.pdf",
    "NORTHWIND_2022_10K.pdf",
    "NORTHWIND_2022Q2_10Q.pdf",
    "BLUEHARBOR_2022_10K.pdf",
    "BLUEHARBOR_2022_8K_dated-2022-05-20.pdf",
    "Nikola_Tesla.md",
    "how-to-store-apples.md",
    "employee handbook.docx",
    "minutes 2023-03-07.txt",
]
NAMES = index_of(identity(name, name) for name in FILES)


def certain(question: str) -> set[str] | None:
    found = draw(question, NAMES).certain
    return None if found is None else {NAMES.identities[n].document for n in found}


def preferred(question: str) -> set[str] | None:
    found = draw(question, NAMES).preferred
    return None if found is None else {NAMES.identities[n].document for n in found}


@pytest.mark.parametrize(
    ("question", "documents"),
    [
        ("What was Northwind's revenue in FY2021?", {"NORTHWIND_2021_10K.pdf"}),
        ("What does Blue Harbor's 8-K say?", {"BLUEHARBOR_2022_8K_dated-2022-05-20.pdf"}),
        ("What does the 2021 10-K say about risk?", {"NORTHWIND_2021_10K.pdf"}),
        ("How large was NORTH's debt in 2022 Q2?", {"NORTHWIND_2022_10K.pdf", "NORTHWIND_2022Q2_10Q.pdf"}),
        ("what was northwind's debt in 2021", {"NORTHWIND_2021_10K.pdf"}),
        ("Summarise how-to-store-apples.md", {"how-to-store-apples.md"}),
        (
            "Compare the annual reports of Northwind and Blue Harbor for 2022.",
            {"NORTHWIND_2022_10K.pdf", "BLUEHARBOR_2022_10K.pdf"},
        ),
    ],
)
def test_documents_that_are_named(question: str, documents: set[str]) -> None:
    assert certain(question) == documents


@pytest.mark.parametrize(
    "question",
    [
        "How long is the refund window?",
        "Where should I store old files?",
        "What do apples cost?",
        "What is a 401k?",
        "",
    ],
)
def test_questions_that_name_none(question: str) -> None:
    assert certain(question) is None


@pytest.mark.parametrize(
    ("question", "documents"),
    [
        ("What did Blue Harbor announce?", {"BLUEHARBOR_2022_10K.pdf", "BLUEHARBOR_2022_8K_dated-2022-05-20.pdf"}),
        ("When was Nikola Tesla born?", {"Nikola_Tesla.md"}),
        ("What was Northwind's revenue in 2015?", {each for each in FILES if each.startswith("NORTH")}),
    ],
)
def test_a_name_alone_may_be_told_of_elsewhere_and_only_prefers(question: str, documents: set[str]) -> None:
    drawn = draw(question, NAMES)
    assert drawn.certain is None
    assert drawn.named
    assert preferred(question) == documents


def test_a_year_beside_a_kind_is_the_documents_own() -> None:
    assert certain("What guidance for 2022 did Northwind give in its 2021 10-K?") == {"NORTHWIND_2021_10K.pdf"}
    assert certain("Was the guidance for 2022 in Northwind's annual report 2021 met?") == {"NORTHWIND_2021_10K.pdf"}
    for years in ("2021 and 2022", "2021, 2022", "FY2021 to FY2022"):
        assert certain(f"What was the forecast for 2019 in Northwind's 10-K for {years}?") == {
            "NORTHWIND_2021_10K.pdf",
            "NORTHWIND_2022_10K.pdf",
        }
    assert certain("Did debt grow from 2021 to 2022, says Northwind's 10-K?") == {
        "NORTHWIND_2021_10K.pdf",
        "NORTHWIND_2022_10K.pdf",
    }


def test_a_year_beside_what_kinds_are_called_is_the_documents_own_too() -> None:
    names = index_of(
        identity(name, name)
        for name in ["Larkspur Annual Report 2021.md", "Larkspur Annual Report 2022.md", "Quill.md", "Heron.md"]
    )
    found = draw("What did Larkspur expect of 2022 in its annual report 2021?", names)
    assert found.certain == frozenset({0})


def test_the_kind_in_a_name_is_not_a_kind_beside_it() -> None:
    names = index_of(identity(name, name) for name in [*FILES, "Larkspur Annual Report 2021.md", "Quill.md"])
    found = draw("How does the Larkspur Annual Report 2021 speak of Northwind?", names)
    assert "Larkspur Annual Report 2021.md" in {names.identities[n].document for n in found.certain or ()}


def test_a_verb_at_the_beginning_is_no_name() -> None:
    names = index_of(identity(name, name) for name in [*FILES, "Will.md", "May.md"])
    assert draw("Will passwords expire?", names).preferred is None
    assert draw("May I work remotely?", names).preferred is None
    assert draw("Who inherits by the last Will?", names).preferred is not None


def test_the_latest_year_that_is_asked_about_is_preferred() -> None:
    assert preferred("Did Northwind's debt grow between 2021 and 2022?") == {"NORTHWIND_2022_10K.pdf"}
    assert preferred("What was Northwind's net income in Q2 2022?") == {"NORTHWIND_2022Q2_10Q.pdf"}


def test_a_part_of_a_name_only_prefers() -> None:
    assert certain("When was Tesla born?") is None
    assert preferred("When was Tesla born?") == {"Nikola_Tesla.md"}
    assert preferred("Where is the HANDBOOK?") == {"employee handbook.docx"}


def test_a_year_alone_only_prefers() -> None:
    assert certain("What was decided in 2023?") is None
    assert preferred("What was decided in 2023?") == {"minutes 2023-03-07.txt"}


def test_documents_that_may_not_be_seen_might_as_well_not_exist() -> None:
    drawn = draw("What was Northwind's revenue in FY2021?", NAMES, lambda each: "2021" not in each.document)
    assert drawn.preferred == frozenset({1, 2})
    assert draw("When was Nikola Tesla born?", NAMES, lambda _: False).preferred is None


def test_one_document_is_never_singled_out_of_one() -> None:
    assert draw("Summarise Northwind.pdf", index_of([identity("a", "Northwind.pdf")])).certain is None


def test_longer_mentions_come_first_and_say_where_they_stand() -> None:
    question = "Does Blue Harbor's 8-K name Tesla?"
    found = mentions(question, NAMES)
    assert [question[each.start : each.end] for each in found] == ["Blue Harbor's 8-K", "Tesla"]
    question = "Which 8-K is Blue Harbor's?"
    found = mentions(question, NAMES)
    assert [(question[each.start : each.end], each.kind) for each in found] == [("8-K", True), ("Blue Harbor", False)]


def test_a_name_may_look_like_a_kind() -> None:
    names = index_of(identity(name, name) for name in [*FILES, "3M_2018_10K.pdf", "3M_2022_10K.pdf"])
    assert "10k" in names.kinds
    assert "3m" not in names.kinds
    found = draw("What was 3M's capital expenditure in FY2018, says the 10-K?", names)
    assert [names.identities[n].document for n in found.certain or ()] == ["3M_2018_10K.pdf"]


def test_initials_and_beginnings_mean_a_name_where_a_year_agrees() -> None:
    names = index_of(
        identity(name, name) for name in [*FILES, "JOHNSON_JOHNSON_2022_10K.pdf", "MGMRESORTS_2022_10K.pdf"]
    )
    for question, document in (
        ("What are JnJ's inventories in FY2022?", "JOHNSON_JOHNSON_2022_10K.pdf"),
        ("How much did MGM borrow in 2022?", "MGMRESORTS_2022_10K.pdf"),
    ):
        assert [names.identities[n].document for n in draw(question, names).certain or ()] == [document]
    assert draw("How much did MGM borrow?", names).certain is None


def test_words_of_names() -> None:
    assert words_of("RefundPolicy_v2") == ("refund", "policy", "v2")
    assert words_of("BLUEHARBOR 10K") == ("blueharbor", "10k")
