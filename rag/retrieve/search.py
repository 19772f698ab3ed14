"""The one path of a search: plan → embed → both sides of the store → fusion → reranking → what is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plumbline.aio import together
from plumbline.trace import AttributeValue, Stages, Tracing
from rag.index.catalogue import Catalogue
from rag.index.filter_text import filter_text
from rag.index.filters import Filter
from rag.index.live import Live, LiveIndex
from rag.index.store import Found, Ranking, Search, Store
from rag.retrieve.access import ANYBODY, Access
from rag.retrieve.context import packed
from rag.retrieve.fuse import one_after_the_other, rrf
from rag.retrieve.fusion import Fusion
from rag.retrieve.plan import Asked, PlainPlanner, Planner, QueryPlan, both
from rag.retrieve.question_figures import CONSIDERED, prefer_figures
from rag.retrieve.read import Reader
from rag.retrieve.settings import RetrievalSettings
from rag.types import Hit
from routing.chat import NO_WISH, Message, Tags, Wants
from routing.embedding import MeteredEmbedder
from routing.policy.step import Step

if TYPE_CHECKING:
    from rag.index.store import Vector
    from rag.retrieve.rerank import RerankReport, RerankStage

MakeFusion = Callable[[str], Fusion]
"""Makes the fusion for a store whose lexical side scores so; raises `ConfigError` where it was fitted for another."""

Needed = tuple[Step, str]
"""What no search goes without, and what to do where it must not be asked."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, by whom.

    `history` is the conversation before it, `phrases` and `prefixes` are those of `rag.index.store.Search`. Only what
    satisfies `condition` and may be seen with `access` is searched. `wants` is what is asked of whoever is asked on the
    way.
    """

    text: str
    history: tuple[Message, ...] = ()
    condition: Filter | None = None
    access: Access = ANYBODY
    phrases: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    wants: Wants = NO_WISH


@dataclass(frozen=True, slots=True)
class Searched:
    """One search of a plan: what was asked, the filter it was searched with, and what both sides found."""

    asked: Asked
    condition: Filter | None
    found: Found


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a search came to, and how: the hits, best first, and every step on the way.

    `unmatched` says so where nothing at all satisfies the caller's condition.
    """

    hits: list[Hit]
    plan: QueryPlan
    searches: tuple[Searched, ...]
    store: str
    scorer: str
    fusion: str
    rerank: RerankReport | None = None
    unmatched: str | None = None

    @property
    def withheld(self) -> tuple[str, ...]:
        """In words what was left out because of what the request wants."""
        reranked = () if self.rerank is None or self.rerank.withheld is None else self.rerank.notes
        return (*self.plan.withheld, *reranked)

    @property
    def notes(self) -> tuple[str, ...]:
        """In words what was done, and what could not be done."""
        reranked = () if self.rerank is None else self.rerank.notes
        return (*self.plan.notes, *reranked, *((self.unmatched,) if self.unmatched else ()))


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches one knowledge base. `needed` are the embedder and the store, without which there is no search.

    Raises `ModelError` when the question cannot be embedded, or would have to leave the machine and must not,
    `ConfigError` when what was fitted does not belong to the index, and `StateError` from storage.
    """

    live: LiveIndex
    embedder: MeteredEmbedder
    catalogue: Catalogue
    settings: RetrievalSettings
    tracing: Tracing
    reader: Reader
    make_fusion: MakeFusion
    planner: Planner
    needed: Sequence[Needed]
    reranker: RerankStage | None = None

    async def search(
        self, query: Query, *, top_k: int | None = None, tags: Tags = Tags("search"), stages: Stages | None = None
    ) -> Retrieval:
        """The `top_k` best passages (default: the configured number); `stages` is told how long each stage takes."""
        for step, hint in self.needed:
            step.check(query.wants, hint)
        stages = stages or Stages(self.tracing)
        top_k = self.settings.top_k if top_k is None else top_k
        k = max(self.settings.candidates, top_k)
        plan = await self._planned(query, tags, stages)
        now, searched = self.live.current(), None
        vectors: Mapping[Asked, Vector] = {}
        if self.settings.mode != "lexical":
            with stages.stage("embed"):
                vectors = dict(zip(plan.searches, await self._embedded(plan, tags), strict=True))
        with stages.stage("retrieve") as span:
            while searched != now:  # an index that was replaced while it was searched may have been half gone
                searched = now
                fusion = self.make_fusion(now.store.lexical_scorer)
                found, ranked = await self._ranked(searched, fusion, plan, query, vectors, k)
                inside = len(ranked)
                if plan.narrow is not None and inside < top_k:
                    beyond, rest = await self._ranked(searched, fusion, plan.widened(), query, vectors, k)
                    found, ranked = [*found, *beyond], one_after_the_other(ranked, rest)
                sides = [each.found for each, _ in found]
                hits = self.reader.hits(ranked, sides, top_k, searched.generation, query.access.condition())
                now = self.live.current()
            span.set_attributes(_attributes(now, found, hits))
        hits, report = await self._reranked(plan.question, hits, query.wants, tags, stages)
        if self.settings.expand in ("neighbours", "section"):
            hits = self.reader.expanded(hits, now.generation)
        store = now.store
        return Retrieval(
            hits=hits,
            plan=plan if len(ranked) == inside else replace(plan, notes=(*plan.notes, _filled_up(inside))),
            searches=tuple(each for each, _ in found),
            store=store.name,
            scorer=store.lexical_scorer,
            fusion=fusion.name if self.settings.mode == "hybrid" else self.settings.mode,
            rerank=report,
            unmatched=None if hits or query.condition is None else await _unmatched(store, query),
        )

    def evidence(self, hits: Sequence[Hit]) -> list[Hit]:
        """The `top_n` passages that are answered from."""
        settings = self.settings
        return packed(
            hits,
            settings.top_n,
            max_tokens=settings.context_tokens,
            order=settings.context_order,
            span=self.reader.span,
            tokens=self.reader.count,
        )

    async def _reranked(
        self, question: str, hits: list[Hit], wants: Wants, tags: Tags, stages: Stages
    ) -> tuple[list[Hit], RerankReport | None]:
        """The hits in the reranker's order, if there is one."""
        if self.reranker is None or not hits:
            return hits, None
        with stages.stage("rerank") as span:
            shown = tags.purpose == "search"  # the hits themselves are the result
            hits, report = await self.reranker.rerank(
                question, hits, self.settings.top_n, tags, ordered=shown, wants=wants
            )
            span.set_attributes(report.attributes(record_text=self.tracing.record_text))
        return hits, report

    async def _planned(self, query: Query, tags: Tags, stages: Stages) -> QueryPlan:
        condition = both(query.access.condition(), query.condition)
        if isinstance(self.planner, PlainPlanner):  # which does nothing that takes time
            return await self.planner.plan(query.text, query.history, condition, tags, query.wants)
        with stages.stage("plan") as span:
            plan = await self.planner.plan(query.text, query.history, condition, tags, query.wants)
            if self.tracing.record_text:
                span.set_attributes(
                    {"plumbline.searches": [each.text for each in plan.searches], "plumbline.notes": list(plan.notes)}
                )
        return plan

    async def _embedded(self, plan: QueryPlan, tags: Tags) -> list[Vector]:
        """A vector for each search: of its passage, or of its text as a query."""
        queries = [each.text for each in plan.searches if each.passage is None]
        passages = [each.passage for each in plan.searches if each.passage is not None]
        of_queries = iter(await self.embedder.queries(queries, tags) if queries else ())
        of_passages = iter(await self.embedder.passages(passages, tags) if passages else ())
        return [next(of_queries if each.passage is None else of_passages) for each in plan.searches]

    async def _ranked(
        self, live: Live, fusion: Fusion, plan: QueryPlan, query: Query, vectors: Mapping[Asked, Vector], k: int
    ) -> tuple[list[tuple[Searched, Search]], Ranking]:
        """What each search of the plan finds, and one ranking of it all."""
        found = await self._found(live, plan, query, vectors, k)
        ranked = self._joined(found, fusion, plan, live.generation)
        if fusion.feedback is not None and self.settings.mode == "hybrid":
            ranked = await fusion.feedback.refine(live.store, ranked)
        return found, ranked

    async def _found(
        self, live: Live, plan: QueryPlan, query: Query, vectors: Mapping[Asked, Vector], k: int
    ) -> list[tuple[Searched, Search]]:
        """What each search of the plan finds, all of them searched at the same time."""
        settings, phrases = self.settings, query.phrases
        searches = [
            Search(
                k,
                vectors.get(asked),
                None if settings.mode == "dense" and not phrases else asked.text,
                plan.filter(asked),
                phrases,
                query.prefixes,
                settings.exact,
                complete=settings.mode == "hybrid",
            )
            for asked in plan.searches
        ]
        found = await together([live.store.search(search) for search in searches])
        return [
            (Searched(asked, search.filter, _holding(each) if phrases else each), search)
            for asked, search, each in zip(plan.searches, searches, found, strict=True)
        ]

    def _joined(
        self, found: Sequence[tuple[Searched, Search]], fusion: Fusion, plan: QueryPlan, generation: int
    ) -> Ranking:
        """One ranking of all searches; several are joined by their ranks, as their scores do not compare."""
        rankings = [self._fused(searched.found, search, fusion) for searched, search in found]
        if plan.figures:
            ids = list({id_: None for each in rankings for id_, _ in each[:CONSIDERED]})
            chunks = self.catalogue.chunks(ids, generation=generation)
            texts = {id_: chunk.text for id_, (chunk, _) in chunks.items()}
            rankings = [prefer_figures(each, texts, plan.figures) for each in rankings]
        if len(rankings) == 1:
            return rankings[0]
        return rrf(rankings, k=self.settings.rrf_k, weights=[asked.weight for asked in plan.searches])

    def _fused(self, found: Found, search: Search, fusion: Fusion) -> Ranking:
        if self.settings.mode == "dense":
            return found.dense
        if self.settings.mode == "lexical":
            return found.lexical
        return fusion.fuse(found, search)


def _filled_up(inside: int) -> str:
    if not inside:
        return "Nothing matched there, so everything was searched."
    return f"Only {inside} passage{'s' * (inside > 1)} matched there; the others are from elsewhere."


async def _unmatched(store: Store, query: Query) -> str | None:
    """Says so where no chunk that the asker may see satisfies the condition."""
    assert query.condition is not None  # what is asked only then
    if await store.count(both(query.access.condition(), query.condition)):
        return None
    return f"No chunk matches {filter_text(query.condition)}."


def _holding(found: Found) -> Found:
    """Only the lexical side knows which points hold a phrase; what does not is no hit by meaning either."""
    holding = {point_id for point_id, _ in found.lexical}
    return Found([each for each in found.dense if each[0] in holding], found.lexical)


def _attributes(live: Live, found: Sequence[tuple[Searched, Search]], hits: Sequence[Hit]) -> dict[str, AttributeValue]:
    return {
        "plumbline.store": live.store.name,
        "plumbline.dense.found": sum(len(each.found.dense) for each, _ in found),
        "plumbline.lexical.found": sum(len(each.found.lexical) for each, _ in found),
        "plumbline.hits": [f"{hit.document} {hit.chunk.start}-{hit.chunk.end} {hit.score:.4f}" for hit in hits],
    }
