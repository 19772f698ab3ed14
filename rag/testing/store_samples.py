"""What the conformance suite of stores puts in and asks for; the same for the same seed."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import numpy as np

from plumbline.errors import InputError
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range
from rag.index.store import Point, Ranking

DIM = 8

_WORDS = ("harbour", "lantern", "granite", "orchard", "copper", "meadow", "anchor", "violin", "saffron", "glacier")

ODD_NAMES = ("odd 'name\"", "a.b", "a[0]", "$", "Größe", "%s", "emoji 🙂", "select", "null", "back\\slash", "-", "")
"""Names of fields that a query language may trip over."""

FILTER_CASES: tuple[Filter, ...] = (
    Eq("page", 3),
    Eq("page", 3.0),
    Eq("page", "3"),
    Eq("kind", "report"),
    Eq("kind", "Report"),
    Eq("public", True),
    Eq("public", 1),
    Eq("public", "true"),
    Eq("groups", "staff"),
    Eq("missing", "x"),
    Eq("score", 0.5),
    Eq("score", 0),
    Eq("score", False),
    In("kind", ("report", "memo")),
    In("kind", ()),
    In("groups", ("guests", "board")),
    In("page", (1, 2, 99)),
    In("page", (1, "2", True)),
    Range("page", gte=3),
    Range("page", gt=3),
    Range("page", lte=3),
    Range("page", lt=3),
    Range("page", gte=2, lt=5),
    Range("page", gte=5, lt=2),
    Range("page", gt=2.5, lte=4),
    Range("page", gte=3, lt=float("inf")),
    Range("page", gt=float("-inf")),
    Range("page", gte=float("inf")),
    Range("page", gte=float("nan")),
    Range("page", lt=10**400),
    Eq("page", float("nan")),
    Range("score", gt=-1.5, lt=0.25),
    Range("date", gte="2022-01-01", lt="2023-01-01"),
    Range("date", gte="2022"),
    Range("date", lte="2021-03-15"),
    Range("date", gt="2021-03-15", lte="2022-12"),
    Range("kind", gte="m", lt="n"),
    Range("kind", gte="café"),
    Range("kind", gt="", lt="~"),
    Range("groups", gte="c", lte="h"),
    Range("groups", gte="staff", lte="staff"),
    Range("page", gte="3"),
    Range("public", gte=0),
    Range("public", gte=True),
    Range("date", gte=2022),
    Range("page"),
    Range("missing", gte=0),
    Range("missing"),
    Exists("date"),
    Exists("groups"),
    Exists("missing"),
    Not(Exists("date")),
    Not(Eq("kind", "report")),
    Not(Eq("missing", "x")),
    Not(Range("page", gte=3)),
    Not(Range("date", gte="2022")),
    And(()),
    Or(()),
    Not(And(())),
    Not(Or(())),
    And((Eq("kind", "report"), Range("page", gte=3))),
    Or((Eq("kind", "memo"), Eq("page", 1))),
    Or((Eq("tenant", "acme"), Not(Exists("tenant")))),
    And((Or((Eq("tenant", "acme"), Not(Exists("tenant")))), Or((In("groups", ("staff",)), Not(Exists("groups")))))),
    And((Or((Eq("kind", "memo"), Eq("kind", "report"))), Not(Eq("public", True)))),
    Or((And((Eq("kind", "memo"), Exists("date"))), Not(Or((Eq("page", 1), Eq("page", 2)))))),
    Not(And((Eq("kind", "report"), Eq("groups", "staff")))),
    Not(Not(Eq("kind", "memo"))),
    Eq("kind", "café"),
    *(Eq(name, "x'y") for name in ODD_NAMES),
    *(Range(name, gte="x", lt="y") for name in ODD_NAMES),
    *(Not(Exists(name)) for name in ODD_NAMES[:3]),
)


def sample_points(count: int = 40, dim: int = DIM, seed: int = 7) -> list[Point]:
    """Points with every kind of payload, without heading and title."""
    points = []
    for number, vector in enumerate(unit_vectors(count, dim, seed)):
        payload: dict[str, object] = {
            "page": number % 7,
            "kind": ("report", "memo", "café")[number % 3],
            "public": number % 2 == 0,
            "groups": [("staff",), ("staff", "board"), ("guests",), ()][number % 4],
            "score": (number - 5) / 4,
        }
        if number % 5:
            payload["date"] = f"{2020 + number % 4}-0{1 + number % 9}-15"
        if number % 4:
            payload["tenant"] = ("acme", "bolt")[number % 2]
        if number % 3 == 0:
            payload[ODD_NAMES[number // 3 % len(ODD_NAMES)]] = "x'y"
        text = " ".join(_WORDS[(number * step) % len(_WORDS)] for step in (1, 3, 7))
        points.append(Point(f"point-{number:03}", vector, f"{text} item {number}", payload))
    return points


def fielded_points(dim: int = DIM) -> list[Point]:
    """Points whose words stand in title, heading and text, in two languages, with phrases to find."""
    rows = (
        ("title", "Basalt quarry", "", "The stones were carried down to the river in winter."),
        ("heading", "", "Basalt", "Nothing was carried to the river that winter but timber."),
        ("text", "", "", "The columns are basalt, and they were carried from the north."),
        ("thrice", "Basalt", "Basalt columns", "Where basalt stands in columns."),
        ("phrase", "Letters", "", "A silver compass needle lay beside the broken sextant."),
        ("apart", "Letters", "", "A compass of silver; the needle was lost."),
        ("across", "Silver compass", "Needle", "It was sold before the voyage."),
        ("german", "", "", "Die Schiffe liegen in den Häfen, die Häuser am Ufer."),
        ("chinese", "", "", "东京的天气今天很好。"),
        ("numbers", "Form 10-K", "Item 7A", "Revenue of 1,250.5 million in FY2022, max_tokens=512."),
        ("prefixes", "", "", "Navigation by navigable stars; navigators navigate."),
        ("empty", "", "", ""),
    )
    languages = {"german": "de", "chinese": "zh"}
    vectors = unit_vectors(len(rows), dim, 3)
    return [
        Point(name, vector, text, {"language": languages.get(name, "en")}, heading, title)
        for (name, title, heading, text), vector in zip(rows, vectors, strict=True)
    ]


def unit_vectors(count: int, dim: int, seed: int) -> np.ndarray:
    """float32 of shape [count, dim], each row of unit length."""
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def exactly(points: Sequence[Point], query: np.ndarray, k: int) -> Ranking:
    """The `k` nearest of `points`, as every store must give them when it is exact."""
    scored = [(point.id, float(point.vector @ query)) for point in points]
    return sorted(scored, key=lambda item: (-round(item[1], 6), item[0]))[:k]


def names(ranking: Ranking) -> list[str]:
    """The ids of a ranking."""
    return [point_id for point_id, _ in ranking]


def plain(payload: object) -> object:
    """A payload with lists for tuples, as they come back."""
    if isinstance(payload, dict):
        return {key: list(value) if isinstance(value, tuple) else value for key, value in payload.items()}
    return payload


async def refuses(call: Awaitable[object], what: str) -> None:
    """Raise `AssertionError` unless the call raises `InputError`."""
    try:
        await call
    except InputError:
        return
    raise AssertionError(f"{what} must raise InputError")
