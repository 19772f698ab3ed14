from __future__ import annotations

from rag.index.remembered import Remembered


def test_what_was_kept_is_given_until_it_is_forgotten() -> None:
    kept = Remembered[str](60)
    assert kept.get() is None
    kept.keep("en", kept.moment())
    assert kept.get() == "en"
    kept.forget()
    assert kept.get() is None


def test_what_was_asked_before_it_changed_is_not_kept() -> None:
    kept = Remembered[str](60)
    since = kept.moment()
    kept.forget()
    kept.keep("old", since)
    assert kept.get() is None


def test_after_its_time_it_must_be_asked_for_anew() -> None:
    kept = Remembered[str](0)
    kept.keep("en", kept.moment())
    assert kept.get() is None
