from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.text.terms import terms


def test_words_are_folded_stemmed_and_rid_of_function_words() -> None:
    assert terms("The Companies' refunds are handled by us.") == ["compani", "refund", "handl", "us"]


def test_repeats_and_order_are_kept() -> None:
    assert terms("refund, then Refund") == ["refund", "refund"]


@pytest.mark.parametrize("text", ["", "   \n", "?! — …", "What is it that was not there?"])
def test_nothing_to_search_for_gives_no_terms(text: str) -> None:
    assert terms(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.5 %", ["10.5"]),
        ("$1,000", ["1000"]),
        ("1,234,567.89", ["1234567.89"]),
        ("1.234.567,89", ["1234567.89"]),
        ("10,5", ["10.5"]),
        ("1,2,3", ["1", "2", "3"]),
        ("2022", ["2022"]),
        ("3.11.7", ["3.11.7"]),
    ],
)
def test_numbers_stay_whole(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("the 10-K filing", "10K"),
        ("Form 10K", "10-K"),
        ("FY2022 results", "2022"),
        ("IL-6", "il6"),
        ("an e-mail", "email"),
        ("max_tokens=5", "maxTokens"),
        ("class HTTPServer", "http_server"),
        ("U.S. sales", "US"),
        ("long-term debt", "term"),
        ("Apple\u2019s", "apple"),
    ],
)
def test_one_spelling_finds_the_other(written: str, asked: str) -> None:
    assert set(terms(asked)) & set(terms(written)), f"{terms(asked)} finds nothing in {terms(written)}"


def test_plain_hyphens_add_no_joined_term() -> None:
    assert terms("state-of-the-art") == ["state", "art"]


def test_a_hash_is_not_shredded() -> None:
    assert terms("9f86d081884c7d65") == ["9f86d081884c7d65"]


def test_acronyms_in_capitals_survive_the_stopwords() -> None:
    assert terms("WHO wrote about IT") == ["who", "wrote", "it"]
    assert terms("who wrote it") == ["wrote"]


def test_ligatures_accents_and_soft_hyphens_do_not_hide_words() -> None:
    assert terms("ﬁnan\u00adcial café") == terms("financial cafe")
    assert terms("cafe\u0301") == terms("café")


def test_scripts_without_spaces_become_pairs() -> None:
    assert terms("東京都 iPhone用") == ["東京", "京都", "phone", "iphon", "用"]


def test_combining_vowels_stay_in_their_word() -> None:
    assert terms("हिन्दी", "xx") == ["हिन्दी"]


def test_languages_have_their_own_stems_and_stopwords() -> None:
    assert terms("¿Cuántas canciones hay?", "es") == terms("canción", "es")
    assert terms("l'homme d'affaires", "fr-CA") == ["homm", "affair"]
    assert terms("Häuser und Haus", "de") == ["haus", "haus"]


def test_an_unknown_language_is_not_stemmed() -> None:
    assert terms("The running dogs", "xx") == ["the", "running", "dogs"]


def test_an_endless_word_is_cut_the_same_way_everywhere() -> None:
    blob = "a1" * 5_000
    assert max(map(len, terms(blob))) <= 64
    assert terms(f"see {blob} there")[1:] == terms(blob)


def test_threads_do_not_disturb_each_other() -> None:
    texts = [f"generously running companies number{i} stationed{i}" for i in range(300)]
    expected = [terms(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(terms, texts)) == expected


@given(st.text())
def test_any_text_gives_clean_terms(text: str) -> None:
    found = terms(text)
    assert all(found)
    assert found == terms(text)
    assert all(not any(c.isspace() for c in term) for term in found)


@given(st.text(st.characters(max_codepoint=127)))
def test_the_quick_way_for_ascii_agrees_with_the_long_one(text: str) -> None:
    assert [*terms(text), "ete"] == terms(text + " \u00e9t\u00e9", "en")
