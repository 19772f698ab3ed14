"""Both rankings in one statement. This module imports nothing of psycopg."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.index.pgvector.conditions import to_sql
from rag.index.pgvector.tables import SPACE, Tables
from rag.index.sparse_words import Sparse
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


def both(tables: Tables, search: Search, words: Sparse, prefixes: Sparse, *, texts: bool = False) -> Statement:
    """Rows (side, id, score), dense is side 0; best first within a side. With `texts` the lexical points follow."""
    made = Statement()
    dense = search.vector is not None and bool(search.vector.any())
    made.add("WITH")
    if dense:
        _dense(made, tables, search)
        made.add(",")
    _lexical(made, tables, search, words, prefixes)
    if dense:
        made.add("SELECT 0, id, score, NULL, NULL, NULL, NULL FROM near UNION ALL")
    columns = "p.title, p.heading, p.text, p.payload" if texts else "NULL, NULL, NULL, NULL::jsonb"
    made.add(f"SELECT 1, p.id, said.score, {columns} FROM said JOIN {tables.base}_points p USING (num)")
    made.add("ORDER BY 1, 3 DESC, 2")
    return made


def _dense(made: Statement, tables: Tables, search: Search) -> None:
    """The nearest as `near`. Vectors are of unit length: the inner product is the cosine.

    Which of two ways is taken is decided by the server: all points that match are compared where they are few, which
    an index would hardly meet; else the index is walked until enough of them match.
    """
    vector = None if search.vector is None else f"[{','.join(map(str, search.vector.tolist()))}]"
    condition, values = to_sql(search.filter)
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


def _lexical(made: Statement, tables: Tables, search: Search, words: Sparse, prefixes: Sparse) -> None:
    """The best by words as `said`: the sparse vectors of those that hold a word, times that of the search with idf."""
    condition, values = to_sql(search.filter)
    sides = [(kind, asked) for kind, asked in (("words", words), ("prefixes", prefixes)) if asked]
    if not sides:
        made.add("said AS (SELECT 0::bigint AS num, 0::float8 AS score WHERE false)")
        return
    for kind, asked in sides:
        made.add(
            f"""{kind}_asked AS MATERIALIZED (
            SELECT array_agg(at ORDER BY at) AS held,
                ('{{' || string_agg(at || ':' || weight, ',' ORDER BY at) || '}}/{SPACE}')::sparsevec AS vector
            FROM (SELECT known.at, (asked.times * ln(1 + (total.points - known.points + .5) / (known.points + .5)))
                    ::real AS weight
                FROM unnest(%s::int[], %s::float8[]) AS asked (at, times) JOIN {tables.base}_counts known USING (at),
                    {tables.base}_counts total WHERE total.at = 0) AS weighted),""",
            list(asked),
            list(asked.values()),
        )
    several = len(sides) > 1
    made.add(f"said AS (SELECT num, {'sum(score)' if several else 'score'} AS score FROM (")
    for number, (kind, _) in enumerate(sides):
        made.add("UNION ALL" if number else "")
        made.add(
            f"""SELECT num, -(vector <#> (SELECT vector FROM {kind}_asked)) AS score
            FROM {tables.base}_{kind} WHERE held && (SELECT held FROM {kind}_asked)"""
        )
    made.add(") AS scored")
    if search.filter is not None:
        made.add(f"JOIN {tables.base}_points p USING (num) WHERE {condition}", *values)
    made.add(f"{'GROUP BY num' if several else ''} ORDER BY score DESC, num LIMIT %s)", min(search.k, 2**62))
