"""Texts come back as they were."""

from __future__ import annotations

import numpy as np

from rag.index.texts import Texts

ODD = ["", "a", "Größe", "", "emoji 🙂", "\ud800", "nul\0inside", "end\0"]


def test_come_back() -> None:
    texts = Texts.of(ODD)
    assert list(texts) == ODD
    assert [texts[place] for place in range(len(texts))] == ODD
    places = np.array([7, 0, 2, 2, 5, 1])
    assert texts.at(places) == [ODD[place] for place in places.tolist()]
    assert texts.at(places[:0]) == Texts().at(places[:0]) == []
    assert texts.is_whole()


def test_join() -> None:
    joined = Texts.joined([Texts.of(ODD), Texts(), Texts.of(["more"])])
    assert list(joined) == [*ODD, "more"]
    assert joined[len(ODD)] == "more"
    assert len(Texts.joined([])) == 0


def test_ends_that_do_not_fit_are_noticed() -> None:
    texts = Texts.of(ODD)
    assert not Texts(texts.content[:-1], texts.ends).is_whole()
    assert not Texts(texts.content, texts.ends[::-1].copy()).is_whole()
    assert not Texts(texts.content, np.empty(0, np.int64)).is_whole()
