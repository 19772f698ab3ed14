from __future__ import annotations

import numpy as np
import pytest

from plumbline.text.terms import terms
from rag.index.lexical import LexicalIndex
from rag.index.lexical.fields import FieldReader
from rag.index.lexical.query import LexicalQuery, Phrase, Prefix
from rag.index.settings import LexicalSettings
from rag.index.store import Point, Search

READER = FieldReader(LexicalSettings())
VECTOR = np.ones(1, np.float32)


def point(text: str, language: str | None = None, heading: str = "", title: str = "") -> Point:
    payload = {} if language is None else {"language": language}
    return Point("p", VECTOR, text, payload, heading, title)


def test_a_word_counts_as_often_as_its_field_weighs() -> None:
    reader = FieldReader(LexicalSettings(title_weight=3, heading_weight=0.5))
    read = reader.weighted(point("refund, refund", heading="Refund window", title="Refund terms"))
    assert read == {"refund": 2 + 0.5 + 3, "window": 0.5, "term": 3}


def test_weights_are_kept_in_sixteenths() -> None:
    reader = FieldReader(LexicalSettings(title_weight=0.3, heading_weight=0.001))
    assert reader.weighted(point("", heading="window", title="refund")) == {"refund": 5 / 16, "window": 1 / 16}


def test_a_field_that_weighs_nothing_is_not_read() -> None:
    reader = FieldReader(LexicalSettings(title_weight=0))
    written = point("text", title="title", heading="heading")
    assert set(reader.weighted(written)) == {"text", "head"}
    assert reader.fields(written) == [["text"], ["head"]]


def test_what_is_read_is_what_is_stored() -> None:
    reader = FieldReader(LexicalSettings(title_weight=1.3))
    points = [point("spam " * 9000, title="spam"), point("ham and eggs", title="eggs"), point("")]
    index = LexicalIndex(map(reader.weighted, points))
    assert index.postings_of([0, 1, 2]) == [reader.weighted(each) for each in points]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("The houses were sold", "en", {"hous", "sold"}),
        ("Die Häuser wurden verkauft", "de", {"haus", "verkauft"}),
        ("Las casas fueron vendidas", "es-MX", {"cas", "vend"}),
        ("Die Häuser", "deu", {"haus"}),
        ("今天天气很好", "zh", {"今天", "天天", "天气", "气很", "很好"}),
        ("The houses", None, {"hous"}),
        ("The houses", "xx", {"the", "houses"}),
    ],
)
def test_a_point_is_read_in_its_language(text: str, language: str | None, expected: set[str]) -> None:
    assert set(READER.weighted(point(text, language))) == expected


def words(text: str, *present: str) -> set[str]:
    return set(READER.query(Search(5, text=text), present).words)


def test_a_question_is_read_in_its_own_language_where_that_shows() -> None:
    assert words("When were the houses sold in the city?", "de", "en") == {"hous", "sold", "citi", "city"}
    assert words("Wann wurden die Häuser in der Stadt verkauft?", "de", "en") >= {"haus", "stadt", "verkauft"}


def test_its_function_words_are_not_looked_for_in_other_languages() -> None:
    assert terms("the of in", "es") == ["the", "of", "in"]
    assert words("What is the name of the king in Madrid?", "en", "es") == {"name", "king", "madrid", "nam", "madr"}


def test_otherwise_in_each_that_is_present() -> None:
    assert words("die houses", "de", "en") == {"die", "hous"}
    assert words("Wann wurden Häuser verkauft?", "en", "es") >= {"wann", "wurden", "verkauft"}


def test_one_language_is_read_without_asking_which_it_is() -> None:
    assert "the" in words("When were the houses sold?", "es")


def test_an_index_that_names_no_language_is_read_in_that_of_the_settings() -> None:
    assert words("the houses") == {"hous"}
    german = FieldReader(LexicalSettings(language="de"))
    assert german.query(Search(5, text="die Häuser")).words == ("haus",)


def test_a_term_of_two_languages_counts_once_and_one_asked_twice_twice() -> None:
    read = READER.query(Search(5, text="Madrid, Berlin, Berlin"), ("de", "en")).words
    assert sorted(read) == ["berlin", "berlin", "madrid"]


def test_phrases_and_prefixes_are_read_in_each_language() -> None:
    phrases, prefixes = ("Las Casas", "the"), ("Políc", "casas", "casa real")
    read = READER.query(Search(5, text="what is said about it here?", phrases=phrases, prefixes=prefixes), ("en", "es"))
    assert read.phrases == (Phrase((("las", "casa"), ("cas",))),)
    assert read.prefixes == (Prefix("polic", ("polic",)), Prefix("casas", ("casa", "cas")), Prefix("casa real"))
    assert set(read.words) == {"said", "las", "casa", "cas", "the"}


def test_a_search_of_nothing_asks_for_nothing() -> None:
    assert READER.query(Search(5, text="", phrases=("of the",), prefixes=(" ",)), ("en",)) == LexicalQuery()


LANGUAGES = {
    "en": "The refund window for returned parcels is thirty days after delivery in Madrid.",
    "es": "El plazo de reembolso de los paquetes devueltos en Madrid es de treinta días.",
    "de": "Die Frist für Erstattungen zurückgesandter Pakete in Madrid beträgt dreißig Tage.",
    "zh": "退款期限为三十天，请保留收据。",
    "ja": "払い戻し期間は三十日です。",
}


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("How long is the window for refunds of a parcel?", "en"),
        ("¿Cuánto es el plazo de los reembolsos de un paquete?", "es"),
        ("Wie lange ist die Frist für eine Erstattung?", "de"),
        ("退款期限是多久？", "zh"),
        ("払い戻しの期間は？", "ja"),
        ("Erstattung Paket", "de"),
        ("reembolsos paquete", "es"),
        ("returning parcels", "en"),
    ],
)
def test_a_mixed_index_finds_each_language(question: str, best: str) -> None:
    index = LexicalIndex()
    points = [point(text, language) for language, text in LANGUAGES.items()]
    index.append(map(READER.weighted, points), list(map(READER.language, points)))
    assert set(index.languages) == set(LANGUAGES)
    found, _ = index.search(READER.query(Search(5, text=question), index.languages), 5)
    assert list(LANGUAGES)[found[0]] == best


def test_a_name_is_found_in_every_language() -> None:
    index = LexicalIndex()
    points = [point(text, language) for language, text in LANGUAGES.items()]
    index.append(map(READER.weighted, points), list(map(READER.language, points)))
    found, _ = index.search(READER.query(Search(5, text="Madrid"), index.languages), 5)
    assert {list(LANGUAGES)[at] for at in found} == {"en", "es", "de"}


def test_a_prefix_stands_for_its_stem_too() -> None:
    index = LexicalIndex([READER.weighted(point("company policies"))])
    query = READER.query(Search(5, text="", prefixes=("policies",)))
    assert query.prefixes == (Prefix("policies", ("polici",)),)
    assert index.search(query, 5)[0].tolist() == [0]
