import pytest

from plumbline.text.language import _WORDS, detect_language
from plumbline.text.language_names import LANGUAGES, is_language, nearest_languages
from plumbline.text.terms import _LANGUAGES


def test_every_language_that_is_stemmed_or_detected_has_a_name() -> None:
    assert set(_LANGUAGES) <= set(LANGUAGES)
    assert set(_WORDS) <= set(LANGUAGES)
    assert detect_language("この文書は日本語です") in LANGUAGES
    assert all(code.isalpha() and len(code) == 2 and name for code, name in LANGUAGES.items())


@pytest.mark.parametrize("tag", ["en", "EN", "pt-BR", "pt_br", "deu", "zh-Hans", "sw", " de "])
def test_tags_of_languages(tag: str) -> None:
    assert is_language(tag)


@pytest.mark.parametrize(
    ("tag", "nearest"),
    [
        ("klingon", "kg (Kongo)"),
        ("german", "de (German)"),
        ("Deutch", "nl (Dutch)"),
        ("xx", "en (English)"),
        ("", "en (English)"),
    ],
)
def test_what_is_no_language_is_told_the_nearest(tag: str, nearest: str) -> None:
    assert not is_language(tag)
    assert nearest_languages(tag)[0] == nearest
