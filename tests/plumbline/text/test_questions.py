from __future__ import annotations

import pytest

from plumbline.text.questions import answer_kind, bare_word, holds, names

NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who signed the lease?", "person"),
        ("When does the window close?", "time"),
        ("In what year did the bridge open?", "time"),
        ("How many parcels were lost?", "quantity"),
        ("What is the population of the town?", "quantity"),
        ("What percentage of orders is returned?", "share"),
        ("How much does delivery cost?", "money"),
        ("What was the annual revenue in 2022?", "money"),
        ("Which city is the warehouse in?", "place"),
        ("Where is it?", "place"),
        ("Why was the order cancelled?", "reason"),
        ("What is a parcel?", "definition"),
        ("What does SKU stand for?", "definition"),
        ("Describe the process.", "other"),
        ("¿Cuándo se fundó?", "time"),
        ("¿Cuántos pedidos hay?", "quantity"),
        ("Wer hat unterschrieben?", "person"),
        ("Où est-il ?", "place"),
        ("Pourquoi partir ?", "reason"),
    ],
)
def test_the_question_word_tells_the_kind(question: str, kind: str) -> None:
    assert answer_kind(question) == kind


def test_a_sentence_holds_what_the_question_does_not_say_already() -> None:
    assert holds("time", "The bridge opened in 1932.", NOTHING)
    assert not holds("time", "The bridge opened in 1932.", frozenset({"1932"}))
    assert holds("person", "The lease was signed by Maria Rossi.", frozenset({"lease"}))
    assert not holds("person", "The lease was signed by Maria.", frozenset({"maria"}))
    assert not holds("person", "Nobody signed it.", NOTHING)
    assert holds("share", "About 5 % came back.", NOTHING)
    assert not holds("share", "Some came back.", NOTHING)
    assert holds("money", "Delivery costs $4.", NOTHING)
    assert holds("quantity", "Three parcels were lost.", NOTHING)
    assert holds("place", "It is kept in Turin.", NOTHING)
    assert holds("reason", "It was cancelled because the card expired.", NOTHING)
    assert holds("other", "Anything.", NOTHING)


def test_names_do_not_open_the_sentence() -> None:
    assert names("Later the city of Turin honoured Maria Rossi (Milan).") == ["Turin", "Maria", "Rossi", "Milan"]


def test_bare_word() -> None:
    assert bare_word("’Rossi,’") == "rossi"


def test_a_long_question_is_read() -> None:
    assert answer_kind("what is " + "a" * 4000) == "definition"
    assert answer_kind("what is " + "a " * 2000) == "other"
