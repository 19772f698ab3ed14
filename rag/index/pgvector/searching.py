"""Both rankings in one statement: cosine, and BM25 from what `…_words`, `…_terms` and `…_languages` hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.index.lexical.fields import UNIT
from rag.index.lexical.query import LexicalQuery, Prefix
from rag.index.pgvector.conditions import to_sql
from rag.index.pgvector.tables import SPACE, Tables
from rag.index.pgvector.writing import MOST_TERMS, kept
from rag.index.settings import LexicalSettings
from rag.index.store import Search

FEW = 2000
"""So many points, or fewer, that match a filter are all compared; more are searched through the index."""
MANY = 1000
"""A `k` above this is answered by comparing with every point."""


@dataclass(slots=True)
class Statement:
    """SQL in parts, with the values of its placeholders in order."""

    parts: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, sql: str, *values: object) -> None:
        """Append."""
        self.parts.append(sql)
        self.values.extend(values)

    @property
    def sql(self) -> bytes:
        """All of it."""
        return "\n".join(self.parts).encode()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the lexical side: `words`, each with how often, and `prefixes`; BM25 with `k1` and `b`."""

    words: Counter[str]
    prefixes: tuple[Prefix, ...]
    k1: float
    b: float

    @classmethod
    def of(cls, query: LexicalQuery, settings: LexicalSettings) -> Asked:
        """What a query asks for."""
        return cls(Counter(query.words), query.prefixes, settings.k1, settings.b)


def both(
    tables: Tables, search: Search, asked: Asked | None, *, texts: bool = False, among: Sequence[str] | None = None
) -> Statement:
    """Rows (side, id, score), dense is side 0; best first within a side. With `texts` the lexical points follow.

    Only the points `among` are searched, where they are given.
    """
    made, matching = Statement(), _matching(search, among)
    dense = search.vector is not None and bool(search.vector.any())
    made.add("WITH")
    if dense:
        _dense(made, tables, search, *matching)
        made.add(",")
    _lexical(made, tables, search, asked or NOTHING, *matching)
    if dense:
        made.add("SELECT 0, id, score, NULL, NULL, NULL, NULL FROM near UNION ALL")
    columns = "p.title, p.heading, p.text, p.payload" if texts else "NULL, NULL, NULL, NULL::jsonb"
    made.add(f"SELECT 1, p.id, said.score, {columns} FROM said JOIN {tables.base}_points p USING (num)")
    made.add("ORDER BY 1, 3 DESC, 2")
    return made


def _matching(search: Search, among: Sequence[str] | None) -> tuple[str, list[object]]:
    """What points p must satisfy, and the values of its placeholders."""
    condition, values = to_sql(search.filter)
    return (condition, [*values]) if among is None else (f"{condition} AND p.id = ANY(%s)", [*values, list(among)])


NOTHING = Asked(Counter(), (), 1.2, 0.75)


def _dense(made: Statement, tables: Tables, search: Search, condition: str, values: Sequence[object]) -> None:
    """The nearest as `near`. Vectors are of unit length: the inner product is the cosine.

    Which of two ways is taken is decided by the server: all points that match are compared where they are few, which
    an index would hardly meet; else the index is walked until enough of them match.
    """
    vector = None if search.vector is None else f"[{','.join(map(str, search.vector.tolist()))}]"
    points, k = f"{tables.base}_points p", min(search.k, 2**62)
    every = search.exact or search.k > MANY
    exactly = f"""SELECT p.id, (p.vector <#> %s::vector) + 0.0 AS distance FROM {points}
        WHERE {condition}{{}} ORDER BY distance LIMIT %s"""  # "+ 0.0" is what no index is for
    if every:
        made.add(f"near AS (SELECT id, -distance AS score FROM ({exactly.format('')}) AS compared)")
        made.values += [vector, *values, k]
        return
    made.add(
        f"few AS MATERIALIZED (SELECT count(*) <= {FEW} AS are FROM (SELECT 1 FROM {points} WHERE {condition} "
        f"LIMIT {FEW + 1}) AS begun),",
        *values,
    )
    made.add("near AS (SELECT id, -distance AS score FROM (")
    made.add(f"({exactly.format(' AND (SELECT are FROM few)')})", vector, *values, k)
    made.add("UNION ALL")
    made.add(
        f"""(SELECT p.id, p.vector <#> %s::vector AS distance FROM {points}
        WHERE {condition} AND NOT (SELECT are FROM few)
        ORDER BY p.vector <#> %s::vector LIMIT %s)""",
        vector,
        *values,
        vector,
        k,
    )
    made.add(") AS either)")


def _lexical(
    made: Statement, tables: Tables, search: Search, asked: Asked, condition: str, values: Sequence[object]
) -> None:
    """The best by words as `said`.

    `total` is what BM25 knows of all points, `named` the numbers of the terms that each word asked for stands for,
    `asked` one row a word: its terms as a sparse vector, whose product with that of a point is how often it is there,
    and its weight. A word adds `weight * (1 - damping / (frequency + damping))`, nothing where it is not.
    """
    if not asked.words and not asked.prefixes:
        made.add("said AS (SELECT 0::bigint AS num, 0::float8 AS score WHERE false)")
        return
    base = tables.base
    made.add(
        f"""total AS MATERIALIZED (SELECT points, greatest(length / {UNIT}.0 / greatest(points, 1), 1e-9) AS average
            FROM (SELECT coalesce(sum(points), 0)::float8 AS points, coalesce(sum(length), 0)::float8 AS length
                FROM {base}_languages) AS added),"""
    )
    _named(made, base, asked)
    made.add(
        f"""asked AS MATERIALIZED (
            SELECT word, held, vector, times * {asked.k1 + 1!r}
                * ln(1 + (total.points - holders + .5) / (holders + .5)) AS weight
            FROM (SELECT word, times, array_agg(at ORDER BY at) AS held,
                    ('{{' || string_agg(at || ':1', ',' ORDER BY at) || '}}/{SPACE}')::sparsevec AS vector,
                    CASE count(*) WHEN 1 THEN max(points)::float8
                        ELSE (SELECT count(*) FROM {base}_words w WHERE w.held && array_agg(at)) END AS holders
                FROM named GROUP BY word, times) AS grouped, total),"""
    )
    filtered = f"JOIN {base}_points p USING (num)" if values or search.filter is not None else ""
    k1, b = max(asked.k1, 1e-12), asked.b  # without any damping 0 would be divided by 0
    words = range(len(asked.words) + len(asked.prefixes))
    score = " + ".join(
        f"coalesce((SELECT weight FROM asked WHERE word = {word}) * (1 - damping / (damping"
        f" - (vector <#> (SELECT vector FROM asked WHERE word = {word})))), 0)"
        for word in words
    )
    made.add(
        f"""said AS (SELECT num, {score} AS score
            FROM (SELECT num, w.vector, {k1 * (1 - b)!r} + {k1 * b / UNIT!r} * w.length / (SELECT average FROM total)
                    AS damping
                FROM {base}_words w {filtered}
                WHERE w.held && (SELECT array_agg(DISTINCT each) FROM asked, unnest(held) AS each)
                    AND {condition} OFFSET 0) AS holding
            ORDER BY score DESC, num LIMIT %s)""",
        *values,
        min(search.k, 2**62),
    )


def _named(made: Statement, base: str, asked: Asked) -> None:
    """Words first, then prefixes, by the place of each."""
    begins = len(asked.words)
    forms = [(begins + number, kept(form)) for number, prefix in enumerate(asked.prefixes) for form in prefix.forms]
    exact = [*((number, kept(word)) for number, word in enumerate(asked.words)), *forms]
    times = [*asked.words.values(), *[1] * len(asked.prefixes)]
    made.add(
        f"""named AS MATERIALIZED (
            SELECT word, (%s::float8[])[word + 1] AS times, at, points FROM (
                SELECT word, at, points, row_number() OVER (PARTITION BY word ORDER BY points DESC) AS place FROM (
                    SELECT word, at, points FROM unnest(%s::int[], %s::text[]) AS exact (word, term)
                        JOIN {base}_terms USING (term)
                    UNION SELECT word, at, points FROM unnest(%s::int[], %s::text[], %s::text[])
                        AS begun (word, start, stop)
                        JOIN {base}_terms known ON known.term >= start AND known.term < stop) AS either
                WHERE points > 0) AS ranked WHERE place <= {MOST_TERMS}),""",
        times,
        [word for word, _ in exact],
        [term for _, term in exact],
        [begins + number for number in range(len(asked.prefixes))],
        [prefix.start for prefix in asked.prefixes],
        [prefix.start + chr(0x10FFFF) for prefix in asked.prefixes],
    )
