from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.retrieve.rerank import AHEAD, EQUAL, FEW, RerankStage, blended
from rag.types import Chunk, Hit
from routing.chat import Tags
from routing.errors import AuthenticationError, ModelError, OverloadedError
from routing.meter import Meter
from routing.reranking import MeteredReranker
from routing.settings import RetrySettings
from routing.testing.fakes import FakeReranker, ScriptedReranker
from tests.rag.retrieve._meter import opened_meter

TAGS = Tags("search")
TEXTS = (
    "The ferry leaves at nine.",
    "The refund window is thirty days.",
    "Refunds take a week.",
    "A crane lifts cargo.",
)


def hit(number: int, text: str, score: float) -> Hit:
    return Hit(Chunk(f"c{number}", "d", number, 0, len(text), text, 5, context="Returns"), "d.md", score)


HITS = [hit(number, text, 1 - 0.1 * number) for number, text in enumerate(TEXTS)]


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    with opened_meter(tmp_path) as made:
        yield made


def metered(reranker: FakeReranker | ScriptedReranker, meter: Meter) -> MeteredReranker:
    return MeteredReranker(reranker, meter=meter, retry=RetrySettings(attempts=1))


def ids(hits: list[Hit]) -> list[str]:
    return [found.chunk.id for found in hits]


async def test_hits_are_ordered_by_what_the_reranker_says(meter: Meter) -> None:
    model = FakeReranker()
    hits, report = await RerankStage(metered(model, meter)).rerank("refund window", HITS, 1, TAGS)
    assert ids(hits) == ["c1", "c0", "c2", "c3"]
    assert hits[0].score == hits[0].rerank_score == 1.0
    assert (report.reranker, report.passages, report.skipped, report.degraded) == ("scripted/overlap", 4, None, None)
    assert report.changed
    assert report.notes == ()
    assert report.attributes(record_text=True)["plumbline.rerank.passages"] == 4


async def test_the_reranker_reads_what_was_indexed(meter: Meter) -> None:
    model = ScriptedReranker([1, 2, 3, 4])
    await RerankStage(metered(model, meter)).rerank("q", HITS, 2, TAGS)
    assert model.calls == [("q", tuple(f"Returns\n{text}" for text in TEXTS))]


async def test_ties_keep_the_order_of_the_search(meter: Meter) -> None:
    hits, report = await RerankStage(metered(ScriptedReranker([1, 1, 1, 1]), meter)).rerank("q", HITS, 2, TAGS)
    assert ids(hits) == ids(HITS)
    assert not report.changed


async def test_a_share_mixes_with_the_search(meter: Meter) -> None:
    stage = RerankStage(metered(ScriptedReranker([0, 5, 10, 0]), meter), blend=0.5)
    hits, _ = await stage.rerank("q", HITS, 2, TAGS)
    assert ids(hits) == ["c2", "c1", "c0", "c3"]
    assert hits[0].score == pytest.approx(0.5 + 0.5 / 3)
    assert hits[0].rerank_score == 10


@pytest.mark.parametrize(
    ("hits", "keep", "reason"),
    [(HITS[:2], 2, FEW), (HITS[:1], 0, FEW), ([], 3, FEW), ([hit(n, "same", 1 - n) for n in range(3)], 1, EQUAL)],
)
async def test_it_is_not_asked_where_it_cannot_change_what_is_read(
    meter: Meter, hits: list[Hit], keep: int, reason: str
) -> None:
    model = ScriptedReranker([3, 2, 1])
    found, report = await RerankStage(metered(model, meter)).rerank("q", hits, keep, TAGS)
    assert (found, report.skipped, model.calls) == (hits, reason, [])
    assert report.attributes(record_text=True)["plumbline.rerank.skipped"] == reason
    assert report.notes == (f"Not reranked: {reason}",)


async def test_where_the_order_counts_few_hits_are_reranked_too(meter: Meter) -> None:
    stage = RerankStage(metered(ScriptedReranker([1, 2]), meter))
    hits, report = await stage.rerank("q", HITS[:2], 2, TAGS, ordered=True)
    assert ids(hits) == ["c1", "c0"]
    assert report.skipped is None


@pytest.mark.parametrize(("margin", "skipped"), [(None, None), (0.11, None), (0.09, AHEAD)])
async def test_a_lead_by_the_margin_is_enough(meter: Meter, margin: float | None, skipped: str | None) -> None:
    stage = RerankStage(metered(ScriptedReranker([1, 2, 3, 4]), meter), skip_margin=margin)
    _, report = await stage.rerank("q", HITS, 2, TAGS)
    assert report.skipped == skipped
    assert report.lead == pytest.approx(0.1)


async def test_a_reranker_that_fails_costs_no_answer(meter: Meter) -> None:
    stage = RerankStage(metered(ScriptedReranker(OverloadedError("It is down.", model="m")), meter), diversity=0.1)
    hits, report = await stage.rerank("q", HITS, 2, TAGS)
    assert ids(hits) == ids(HITS)
    assert all(found.rerank_score is None for found in hits)
    assert report.notes == ("Not reranked: It is down.",)


async def test_a_refused_key_is_raised(meter: Meter) -> None:
    error: ModelError = AuthenticationError("401", model="m")
    with pytest.raises(AuthenticationError):
        await RerankStage(metered(ScriptedReranker(error), meter)).rerank("q", HITS, 2, TAGS)


async def test_diversity_alone_keeps_copies_from_being_read_together() -> None:
    copies = [*HITS[:1], hit(9, TEXTS[0], 0.95), *HITS[1:]]
    hits, report = await RerankStage(diversity=0.05).rerank("q", copies, 3, TAGS)
    assert ids(hits)[-1] == "c9"
    assert (report.reranker, report.changed) == (None, True)


async def test_closing_closes_the_reranker(meter: Meter) -> None:
    model = FakeReranker()
    await RerankStage(metered(model, meter)).close()
    await RerankStage().close()
    assert model.closed


def test_blended_without_a_spread_leaves_the_other() -> None:
    assert blended([1, 1], [3, 5], 0.5) == [0.5, 1.0]
    assert blended([], [], 0.5) == []
    assert blended([2, 1], [-7, -8], 1.0) == [-7, -8]
