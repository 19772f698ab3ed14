"""The conformance suite of stores: words, fields, phrases, prefixes, languages and postings."""

from __future__ import annotations

import math

from rag.index.filters import Eq
from rag.index.store import Point, Ranking, Search, Store
from rag.testing.store_samples import fielded_points, names, sample_points


async def check_lexical_search(store: Store) -> None:
    """A word finds exactly the points that hold it, best first."""
    points = sample_points()
    await store.upsert(points)
    found = await store.search(Search(len(points), text="saffron"))
    holding = {point.id for point in points if "saffron" in point.text}
    assert set(names(found.lexical)) == holding, "lexical search finds exactly what holds the word"
    assert len(found.lexical) == len(holding), "a point is found once"
    _check_order(found.lexical)
    assert found.dense == [], "without a vector there is no dense ranking"
    few = await store.search(Search(2, text="saffron"))
    assert few.lexical == found.lexical[:2], "a smaller k must give the beginning of the same ranking"
    for empty in ("", "the of and", "zzzunknownzzz", "!?", "\x00", "' OR 1=1 --", "🙂" * 50):
        nothing = await store.search(Search(5, text=empty))
        assert set(names(nothing.lexical)) <= {point.id for point in points}, f"{empty!r} must break nothing"
    for empty in ("", "the of and", "zzzunknownzzz", "!?"):
        assert (await store.search(Search(5, text=empty))).lexical == [], f"{empty!r} must find nothing"


async def check_weights(store: Store) -> None:
    """Rare words weigh more than common ones, more of a word more than less, short texts more than long ones."""
    vector = sample_points(1)[0].vector
    rows = {
        "rare": "zircon common common common filler",
        "common": "common common common filler filler",
        "once": "opal filler filler filler filler",
        "twice": "opal opal filler filler filler",
        "long": "topaz " + "filler common " * 20,
        "short": "topaz filler filler filler filler",
        **{f"rest-{number}": "common filler filler filler filler" for number in range(12)},
    }
    await store.upsert([Point(name, vector, text) for name, text in rows.items()])
    for text, better, worse in (
        ("zircon common", "rare", "common"),
        ("opal", "twice", "once"),
        ("topaz", "short", "long"),
    ):
        ranking = names((await store.search(Search(len(rows), text=text))).lexical)
        assert ranking[0] == better, f"{text!r}: {better!r} must be first"
        assert worse in ranking, f"{text!r}: {worse!r} must be found"


async def check_fields(store: Store) -> None:
    """Title, heading and text are read, each with its weight, and come back."""
    points = fielded_points()
    await store.upsert(points)
    found = await store.search(Search(20, text="basalt"))
    assert set(names(found.lexical)) == {"title", "heading", "text", "thrice"}, "every field must be searched"
    assert names(found.lexical)[0] == "thrice", "a word in all three fields counts more than in one"
    for point, back in zip(points, await store.get([point.id for point in points]), strict=True):
        assert (back.title, back.heading, back.text) == (point.title, point.heading, point.text), "fields come back"
    by_id = {point.id: point for point in points}
    (basalt,) = set(store.terms("basalt"))
    alone = [store.lexical_terms(by_id[name]).get(basalt, 0.0) for name in ("title", "heading", "text")]
    assert math.isclose(alone[2], 1.0), "a word of the text counts once"
    thrice = store.lexical_terms(by_id["thrice"])[basalt]
    assert math.isclose(thrice, sum(alone)), "weights of fields must add up"


async def check_languages(store: Store) -> None:
    """What a point is written in decides how it is read; words of scripts without spaces are found."""
    points = fielded_points()
    await store.upsert(points)
    german = next(point for point in points if point.id == "german")
    assert set(store.terms(german.text, "de")) == set(store.lexical_terms(german)), "read in the payload's language"
    assert "chinese" in names((await store.search(Search(5, text="天气"))).lexical), "unspaced scripts must be found"
    for text in ("10-K", "FY2022", "1,250.5", "max_tokens"):
        assert names((await store.search(Search(5, text=text))).lexical)[:1] == ["numbers"], f"{text} must be found"


async def check_phrases(store: Store) -> None:
    """A phrase must stand in one field, its terms in order, and counts as words of the query."""
    await store.upsert(fielded_points())
    loose = await store.search(Search(20, text="silver compass needle"))
    assert {"phrase", "apart", "across"} <= set(names(loose.lexical)), "without phrases words may stand anywhere"
    for text in ("silver compass needle", "", "winter"):
        found = await store.search(Search(20, text=text, phrases=("silver compass needle",)))
        assert names(found.lexical) == ["phrase"], f"{text!r}: only what holds the phrase in one field is a hit"
    both = await store.search(Search(20, text="letters", phrases=("silver compass", "compass needle")))
    assert names(both.lexical) == ["phrase"], "every phrase must be held"
    assert names((await store.search(Search(1, text="", phrases=("silver compass",)))).lexical), "k = 1 must find one"
    none = await store.search(Search(20, text="basalt", phrases=("needle compass silver",)))
    assert none.lexical == [], "the terms of a phrase must stand in its order"
    narrowed = await store.search(Search(20, text="", phrases=("silver compass",), filter=Eq("language", "de")))
    assert narrowed.lexical == [], "phrases and filters must both hold"


async def check_prefixes(store: Store) -> None:
    """All words that begin so count as one word of the query."""
    await store.upsert(fielded_points())
    found = await store.search(Search(20, text="", prefixes=("navig",)))
    assert names(found.lexical) == ["prefixes"], "a prefix finds what holds a word that begins so"
    both = await store.search(Search(20, text="basalt", prefixes=("Navi",)))
    assert {"prefixes", "thrice"} <= set(names(both.lexical)), "a prefix adds to the words, in either case"
    _check_order(both.lexical)
    assert (await store.search(Search(20, text="", prefixes=("zzq",)))).lexical == [], "an unknown prefix finds nothing"


async def check_postings(store: Store) -> None:
    """What the lexical side holds of a point is what it reads of it."""
    points = [*sample_points(12), *fielded_points()]
    await store.upsert(points)
    await store.delete([points[1].id])
    wanted = [points[5].id, "unknown", points[1].id, points[0].id, "thrice", "german", "empty"]
    postings = await store.postings(wanted)
    by_id = {point.id: point for point in points}
    kept = [by_id[name] for name in (points[5].id, points[0].id, "thrice", "german", "empty")]
    assert len(postings) == len(kept), "postings are those of the points that exist"
    for point, terms in zip(kept, postings, strict=True):
        assert terms == store.lexical_terms(point), f"{point.id}: its postings must be what is read of it"
        (alone,) = await store.postings([point.id])
        assert alone == terms, f"{point.id}: postings must be those of the point alone"


def _check_order(ranking: Ranking) -> None:
    scores = [score for _, score in ranking]
    assert scores == sorted(scores, reverse=True), "the lexical ranking must be best first"
    assert all(score > 0 and math.isfinite(score) for score in scores), "a lexical hit scores above 0"
