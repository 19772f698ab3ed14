"""The one path of a question: search → assemble → router → ground.

Imported when the first question is asked; `rag.knowledge` is the face that users see.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from plumbline.aio import emitted
from plumbline.errors import InputError
from plumbline.trace import Stages, current_ids
from rag.answer.abstain import confidence, is_refusal
from rag.answer.assemble import assemble
from rag.answer.ground import Grounding, ground
from rag.config import Parts
from rag.events import Answered, AnswerEvent, Emit, Retrieved, Started
from rag.retrieve.search import Query, Retrieval
from rag.types import Answer, Hit
from routing.chat import ChatOptions, ChatResponse, Tags, TextDelta
from routing.meter import Bill, settled

REFUSAL = "I don't have enough information."


async def answer_question(parts: Parts, query: Query, emit: Emit | None = None) -> Answer:
    """Answer from the knowledge base that `parts` make up; see `rag.knowledge.RAG.aask`.

    `emit` is told what happens on the way, pieces of the text included; the answer is the same with and without.
    """
    started = time.perf_counter()
    tags = query.access.tags("answer")
    with parts.home.tracing.span("ask") as root:
        async with settled() as bill:
            answer = await _answered(parts, query, tags, bill, started, emit)
        root.set_attributes(_attributes(answer, record_text=parts.settings.trace.record_text))
    if emit:
        emit(Answered(answer))
    return answer


async def _answered(parts: Parts, query: Query, tags: Tags, bill: Bill, started: float, emit: Emit | None) -> Answer:
    trace_id = current_ids()[0] or ""
    if emit:
        emit(Started(query.text, trace_id))
    stages = Stages(parts.home.tracing)
    retrieval = await parts.retriever.search(query, tags=tags, stages=stages)
    hits = retrieval.hits
    if not hits:
        await require_documents(parts)
    evidence = parts.retriever.evidence(hits)
    if emit:
        emit(Retrieved(tuple(evidence)))
    response = await _generate(parts, replace(query, text=retrieval.plan.question), evidence, tags, stages, emit)
    with stages.stage("ground"):
        grounding = ground(response, evidence, parts.catalogue)
    timings = {**stages.seconds, "total": time.perf_counter() - started}
    answer = _compose(query.text, response, grounding, hits, bill, timings)
    degraded = _degraded(response, retrieval)
    return replace(answer, trace_id=trace_id, degraded=degraded, note=_note(retrieval))


def answer_events(parts: Parts, query: Query) -> AsyncGenerator[AnswerEvent, None]:
    """What `answer_question` does, as it does it; closing the generator early stops the work."""

    async def produce(emit: Emit) -> None:
        await answer_question(parts, query, emit)

    return emitted(produce)


async def require_documents(parts: Parts) -> None:
    """Raise `InputError` when there is nothing to search."""
    if await parts.store.count() == 0:
        if parts.catalogue.totals().chunks:
            raise InputError(
                f"The store '{parts.store.name}' holds nothing of the knowledge base in {parts.path}.",
                hint="Name the store that holds it, move it here (rag migrate), or embed everything anew: rag verify",
            )
        raise InputError(
            f"The knowledge base in {parts.path} is empty.", hint="Ingest documents first: rag ingest FOLDER"
        )


async def _generate(
    parts: Parts, query: Query, evidence: Sequence[Hit], tags: Tags, stages: Stages, emit: Emit | None
) -> ChatResponse:
    """Ask a model what stands alone; without any evidence refuse, for no call could find an answer in nothing."""
    generation = parts.settings.generation
    if not evidence:
        return ChatResponse(REFUSAL, parts.model_name, refused=True, confidence=0.0)
    with stages.timed("assemble"):
        request = assemble(
            query.text,
            evidence,
            system=parts.system_prompt,
            turn=parts.question_prompt,
            options=ChatOptions(temperature=generation.temperature, max_tokens=generation.max_tokens),
            deadline=time.monotonic() + generation.timeout_seconds,
            tags=tags,
            wants=query.wants,
        )
    with stages.stage("generate"):
        on_text = None if emit is None else lambda text: emit(TextDelta(text))
        return await parts.router_for(query.wants).complete(request, on_text=on_text)


def _compose(
    question: str,
    response: ChatResponse,
    grounding: Grounding,
    hits: Sequence[Hit],
    bill: Bill,
    timings: Mapping[str, float],
) -> Answer:
    refused = response.refused or is_refusal(response.text)
    return Answer(
        question=question,
        text=response.text if response.text.strip() else REFUSAL,
        refused=refused,
        confidence=confidence(response, grounding, refused=refused),
        citations=() if refused else grounding.citations,
        claims=() if refused else grounding.claims,
        hits=tuple(hits),
        usage=bill.usage,
        cost=bill.cost,
        timings=timings,
        model=response.model,
        trace_id="",
        attempts=response.attempts,
    )


def _note(retrieval: Retrieval) -> str | None:
    """Why nothing was found, where that is known, and what was left out because of what the request wants."""
    return " ".join([*retrieval.withheld, *filter(None, [retrieval.unmatched])]) or None


def _degraded(response: ChatResponse, retrieval: Retrieval) -> str | None:
    """What was done without, in words: the reranker, or the model that was to answer."""
    found: list[str] = []
    if retrieval.rerank is not None and retrieval.rerank.degraded is not None:
        found += retrieval.rerank.notes
    if response.attempts and response.attempts[-1].model != (wanted := response.attempts[0].model):
        failed = [attempt.error for attempt in response.attempts if attempt.model == wanted and attempt.error]
        found.append(f"{wanted} did not answer, so {response.attempts[-1].model} did. {failed[-1]}")
    return " ".join(found) or None


def _attributes(answer: Answer, *, record_text: bool) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "plumbline.model": answer.model,
        "plumbline.refused": answer.refused,
        "plumbline.confidence": round(answer.confidence, 4),
        "plumbline.citations": [f"{c.document} {c.start}-{c.end} {c.verdict}" for c in answer.citations],
    }
    if answer.cost is not None:
        attributes["plumbline.cost.usd"] = str(answer.cost)
    if record_text:
        attributes["plumbline.question"] = answer.question
        attributes["plumbline.answer"] = answer.text
    return attributes
