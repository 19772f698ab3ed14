"""The stage after the search: hits are scored again by a reranker, unless that cannot change what is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from plumbline.trace import AttributeValue
from rag.retrieve.diversity import SAME_TERMS, by_terms, mmr
from rag.retrieve.rerank_skip import lead
from rag.types import Hit
from routing.chat import NO_WISH, Tags, Wants
from routing.errors import AuthenticationError, ModelError, ModelNotFoundError
from routing.policy.step import Step

if TYPE_CHECKING:
    from routing.vectors import Vectors

FEW = "no more hits than are read."
EQUAL = "all hits read the same."
AHEAD = "the hits that are read lead by the margin."
_MISCONFIGURED = (AuthenticationError, ModelNotFoundError)


class PassageScorer(Protocol):
    """Scores passages and sees to its own retries, price and ledger: `routing.reranking.MeteredReranker`, say."""

    @property
    def name(self) -> str:
        """Who scores, "provider/name"."""
        ...

    async def score(self, query: str, passages: Sequence[str], tags: Tags) -> Vectors:
        """One score per passage, float32[n]; higher is more relevant. Raises `ModelError`."""
        ...

    async def close(self) -> None:
        """Give back connections and memory."""
        ...


@dataclass(frozen=True, slots=True)
class RerankReport:
    """What became of one question's hits.

    `reranker` is who scores, `None` when only diversity was asked for. `skipped` says why it was not asked, `withheld`
    why it must not be for what the request wants, `degraded` why its order is not used. `passages` counts what was
    scored, `lead` is how far the hits that are read lead the next before reranking, and `changed` says whether other
    hits are read than the search would have had. `diversity` is the share of novelty that moved `moved` hits to another
    rank.
    """

    reranker: str | None
    passages: int = 0
    skipped: str | None = None
    degraded: str | None = None
    withheld: str | None = None
    lead: float = 0.0
    changed: bool = False
    diversity: float = 0.0
    moved: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """In words why the hits were not reranked, if they were to be."""
        reason = self.degraded or self.withheld or self.skipped
        return () if reason is None else (f"Not reranked: {reason}",)

    def attributes(self, *, record_text: bool) -> dict[str, AttributeValue]:
        """For the span of the stage; why its order is not used only with `record_text`, as an error may quote."""
        found: Mapping[str, AttributeValue | None] = {
            "plumbline.rerank.model": self.reranker,
            "plumbline.rerank.passages": self.passages,
            "plumbline.rerank.skipped": self.skipped,
            "plumbline.rerank.degraded": self.degraded if record_text else None,
            "plumbline.rerank.withheld": self.withheld,
            "plumbline.rerank.lead": round(self.lead, 6),
            "plumbline.rerank.changed": self.changed,
            "plumbline.rerank.moved": self.moved if self.diversity > 0 else None,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class RerankStage:
    """Reranks hits with `scorer`, then takes care that those read first are not all alike.

    `blend` is the reranker's share of the score that orders, the rest is the search's, each scaled to [0, 1] over the
    hits; 1 leaves the order to the reranker. `skip_margin` and `diversity` are those of `RerankSettings`. `step` says
    who is asked by the scorer, and so when it must not be.
    """

    scorer: PassageScorer | None = None
    blend: float = 1.0
    skip_margin: float | None = None
    diversity: float = 0.0
    step: Step | None = None

    async def rerank(
        self,
        query: str,
        hits: Sequence[Hit],
        keep: int,
        tags: Tags,
        *,
        ordered: bool = False,
        wants: Wants = NO_WISH,
    ) -> tuple[list[Hit], RerankReport]:
        """All of `hits`, best first: the first `keep` are what is read. `ordered` says that their order counts too,
        where they are what was asked for: then few hits are reranked as well.

        A reranked hit has its `rerank_score`, and the score it is ordered by as `score`. When the reranker fails the
        hits keep their order and the report says so; a refused key and an unknown model are raised, as everywhere.
        """
        given = [hit.chunk.id for hit in hits[:keep]]
        found, report = list(hits), RerankReport(None, lead=lead([hit.score for hit in hits], keep))
        if self.scorer is not None:
            found, report = await self._scored(self.scorer, query, found, keep, tags, ordered=ordered, wants=wants)
        if self.diversity > 0:
            similarity = by_terms([hit.chunk.text for hit in found])
            places = mmr([hit.score for hit in found], similarity, self.diversity, same=SAME_TERMS)
            found = [replace(found[place], relevance_rank=place + 1) for place in places]
            moved = sum(place != rank for rank, place in enumerate(places))
            report = replace(report, diversity=self.diversity, moved=moved)
        return found, replace(report, changed={hit.chunk.id for hit in found[:keep]} != set(given))

    async def close(self) -> None:
        """Close the reranker."""
        if self.scorer is not None:
            await self.scorer.close()

    async def _scored(
        self, scorer: PassageScorer, query: str, hits: list[Hit], keep: int, tags: Tags, *, ordered: bool, wants: Wants
    ) -> tuple[list[Hit], RerankReport]:
        report = RerankReport(scorer.name, lead=lead([hit.score for hit in hits], keep))
        if reason := self._reason_to_skip(hits, keep, report.lead, ordered=ordered):
            return hits, replace(report, skipped=reason)
        if self.step is not None and (why_not := self.step.why_not(wants)):
            return hits, replace(report, withheld=f"{why_not}.")
        try:
            scores = (await scorer.score(query, [hit.chunk.indexed_text for hit in hits], tags)).tolist()
        except _MISCONFIGURED:
            raise
        except ModelError as error:
            return hits, replace(report, degraded=str(error))
        order = blended([hit.score for hit in hits], scores, self.blend)
        rescored = [
            replace(hit, score=value, rerank_score=score) for hit, value, score in zip(hits, order, scores, strict=True)
        ]
        return sorted(rescored, key=lambda hit: -hit.score), replace(report, passages=len(hits))

    def _reason_to_skip(self, hits: Sequence[Hit], keep: int, ahead: float, *, ordered: bool) -> str | None:
        if len(hits) < 2 or (len(hits) <= keep and not ordered):
            return FEW
        if len({hit.chunk.indexed_text for hit in hits}) == 1:
            return EQUAL
        if self.skip_margin is not None and ahead >= self.skip_margin:
            return AHEAD
        return None


def blended(searched: Sequence[float], reranked: Sequence[float], share: float) -> list[float]:
    """The scores that order the hits: `share` of the reranker's, the rest of the search's, scaled to [0, 1] each.

    With a `share` of 1 they are the reranker's own.
    """
    if share >= 1:
        return list(reranked)
    return [share * b + (1 - share) * a for a, b in zip(_scaled(searched), _scaled(reranked), strict=True)]


def _scaled(values: Sequence[float]) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [(value - low) / (high - low) if high > low else 1.0 for value in values]
