"""A knowledge base from outside: ask, search, ingest, status, and what may go wrong."""

from __future__ import annotations

import asyncio
import gc
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import ConfigError, CorruptStateError, InputError, NewerStateError
from plumbline.trace import read_trace
from rag import RAG
from rag.errors import KnowledgeBaseMismatchError
from rag.index.filters import Eq
from rag.retrieve.access import Access
from routing.chat import ChatRequest, ChatResponse, Message, Usage
from routing.errors import AuthenticationError, ConnectionFailedError, ContentFilterError, MissingKeyError
from routing.resilience.redis_link import RedisLink
from routing.testing.fakes import FakeEmbedder, ScriptedChatModel

REFUSAL = "I don't have enough information."


def opened(folder: Path, *replies: object, **kwargs: object) -> tuple[RAG, ScriptedChatModel]:
    model = ScriptedChatModel(*replies)  # type: ignore[arg-type]  # a list of replies
    quick = {"routing.retry.attempts": 1, **kwargs}
    return RAG.open(folder / "kb", home=folder / "home", environ={}, model=model, settings=quick), model


def test_the_three_lines(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    answer = kb.ask("How many days does a parcel to Iceland take?")
    assert "9 days" in answer.text
    assert not answer.refused
    citation = answer.citations[0]
    assert (citation.document, citation.verdict) == ("more/shipping 🙂.md", "supported")
    assert answer.text[citation.answer_start : citation.answer_end] == citation.quote
    document = kb._parts.catalogue.document(citation.document_id or "")
    assert document is not None
    assert document.text[citation.start : citation.end] == citation.quote
    assert 0 < answer.confidence <= 1
    assert not answer.calibrated
    assert answer.cost == 0
    assert {"embed", "retrieve", "generate", "ground", "total"} <= set(answer.timings)
    assert citation.quote in str(answer)


def test_what_the_documents_do_not_say_is_refused(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    answer = kb.ask("Who won the chess championship in Buenos Aires?")
    assert answer.refused
    assert answer.text == REFUSAL
    assert answer.citations == ()


async def test_works_inside_a_running_event_loop(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    sync = kb.ask("When does the Harbour shop open?")
    asynchronous = await kb.aask("When does the Harbour shop open?")
    assert sync.text == asynchronous.text
    assert "10:00" in sync.text


async def test_many_questions_at_once(kb: RAG, docs: Path) -> None:
    await kb.aingest(docs)
    questions = [f"How many days does a parcel to {country} take?" for country in ("Iceland", "Norway")] * 8
    answers = await asyncio.gather(*(kb.aask(question) for question in questions))
    for question, answer in zip(questions, answers, strict=True):
        assert answer.question == question
        assert ("9 days" if "Iceland" in question else "4 days") in answer.text
    assert len({a.trace_id for a in answers}) == len(answers)


def test_several_threads_share_a_knowledge_base(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(kb.ask("Are gift cards returned?").text)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 6
    assert len(set(texts)) == 1


def test_a_model_sees_prompt_and_evidence_and_its_citations_are_checked(tmp_path: Path, docs: Path) -> None:
    kb, model = opened(
        tmp_path,
        "Unopened goods may be returned within 30 days of delivery [Source: returns.md]. "
        "They glow [Source: x.pdf, page 2].",
    )
    with kb:
        kb.ingest(docs)
        answer = kb.ask("How long is the refund window?")
    (request,) = model.requests
    system, user = request.messages
    assert "answer" in system.content
    assert system.role == "system"
    assert "[Source: returns.md]" in user.content
    assert user.content.endswith("Question: How long is the refund window?")
    assert len(request.evidence) == len(answer.hits[:3])
    assert (request.options.temperature, request.options.max_tokens) == (0.1, 1024)
    assert [c.verdict for c in answer.citations] == ["supported", "not_found"]
    assert [c.verdict for c in answer.claims] == ["supported", "unsupported"]
    assert answer.usage.input_tokens > 0
    assert model.closed


def test_a_model_that_refuses(tmp_path: Path, docs: Path) -> None:
    kb, _ = opened(tmp_path, REFUSAL)
    with kb:
        kb.ingest(docs)
        answer = kb.ask("How long is the refund window?")
    assert answer.refused
    assert (answer.citations, answer.claims) == ((), ())


def test_a_model_that_says_nothing_has_refused(tmp_path: Path, docs: Path) -> None:
    kb, _ = opened(tmp_path, " \n")
    with kb:
        kb.ingest(docs)
        answer = kb.ask("How long is the refund window?")
    assert (answer.refused, answer.text) == (True, REFUSAL)


def test_a_model_that_cannot_be_reached_is_replaced_and_that_is_said(tmp_path: Path, docs: Path) -> None:
    kb, _ = opened(tmp_path, ConnectionFailedError("no route to host", model="scripted/chat"))
    with kb:
        kb.ingest(docs)
        answer = kb.ask("How many days does a parcel to Iceland take?")
    assert "9 days" in answer.text
    assert answer.model == "extractive/default"
    assert answer.degraded is not None
    assert "no route to host" in answer.degraded
    assert "no route to host" in str(answer)


def test_without_a_fallback_the_error_is_the_callers(tmp_path: Path, docs: Path) -> None:
    broken = ConnectionFailedError("no route to host", model="scripted/chat")
    kb, _ = opened(tmp_path, broken, **{"routing.fallback": "none"})
    with kb:
        kb.ingest(docs)
        with pytest.raises(ConnectionFailedError, match="no route"):
            kb.ask("How many days does a parcel to Iceland take?")


def test_a_wrong_key_is_never_hidden(tmp_path: Path, docs: Path) -> None:
    kb, _ = opened(tmp_path, AuthenticationError("The key is refused.", model="scripted/chat"))
    with kb:
        kb.ingest(docs)
        with pytest.raises(AuthenticationError, match="key is refused"):
            kb.ask("How long is the refund window?")


def test_a_missing_key_stops_questions_and_nothing_else(tmp_path: Path, docs: Path) -> None:
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", model="openai/gpt-5", environ={}) as kb:
        kb.ingest(docs)
        assert kb.search("gift cards")
        assert kb.status().model == "openai/gpt-5"
        with pytest.raises(MissingKeyError, match="OPENAI_API_KEY"):
            kb.ask("Are gift cards returned?")
        with pytest.raises(MissingKeyError, match="OPENAI_API_KEY"):
            kb.require_model()


def test_an_unknown_price_makes_the_answers_cost_unknown(tmp_path: Path, docs: Path) -> None:
    model = ScriptedChatModel(ChatResponse("30 days.", "vllm/mine", Usage(10, 5)), name="vllm/mine")
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}, model=model) as kb:
        kb.ingest(docs)
        assert kb.ask("How long?").cost is None
    priced = {"routing.prices": {"vllm/mine": {"input": "1", "output": "2"}}}
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}, model=model, settings=priced) as kb:
        assert kb.ask("How long?").cost == Decimal("0.00002")


def test_every_priced_thing_has_a_ledger_row_in_the_questions_trace(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    answer = kb.ask("Are gift cards returned?")
    home = kb._parts.home
    assert [row.kind for row in home.ledger.of_trace(answer.trace_id)] == ["embedding", "chat"]
    home.tracing.flush()
    spans = read_trace(home.engine, answer.trace_id)
    assert spans[0].name == "ask"
    assert spans[0].attributes["plumbline.question"] == "Are gift cards returned?"
    names = [span.name.partition(" ")[0] for span in spans]
    assert names == ["ask", "embed", "embeddings", "retrieve", "generate", "chat", "ground"]
    assert list(answer.timings) == ["embed", "retrieve", "assemble", "generate", "ground", "total"]


def test_every_call_of_a_question_carries_who_asked(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    answer = kb.ask("Are gift cards returned?", access=Access("acme", key="shop", session="s1"))
    rows = kb._parts.home.ledger.of_trace(answer.trace_id)
    assert {row.kind for row in rows} == {"embedding", "chat"}
    assert {(row.tags.tenant, row.tags.key, row.tags.session) for row in rows} == {("acme", "shop", "s1")}


def test_texts_can_be_kept_out_of_the_trace(tmp_path: Path, docs: Path) -> None:
    settings = {"trace.record_text": False, "retrieval.question.filters": True}
    kb, _ = opened(tmp_path, "Secret.", **settings)
    with kb:
        kb.ingest(docs)
        trace_id = kb.ask("Are gift cards returned?").trace_id
        kb._parts.home.tracing.flush()
        spans = read_trace(kb._parts.home.engine, trace_id)
    assert "gift" not in str(spans)
    assert "Secret" not in str(spans)


def test_errors_that_quote_are_kept_out_of_the_trace_too(tmp_path: Path, docs: Path) -> None:
    def refuse(request: ChatRequest) -> str:
        raise ContentFilterError(f"Not allowed: {request.messages[-1].content}", model="scripted/chat")

    settings = {"trace.record_text": False, "retrieval.rerank.model": "llm", "retrieval.top_n": 1}
    kb = RAG.open(
        tmp_path / "kb", home=tmp_path / "home", model=ScriptedChatModel(refuse), environ={}, settings=settings
    )
    with kb:
        kb.ingest(docs)
        answer = kb.ask("Are gift cards returned?")
        kb._parts.home.tracing.flush()
        spans = read_trace(kb._parts.home.engine, answer.trace_id)
    assert answer.degraded is not None
    assert "gift" in answer.degraded, "whoever asks is told"
    assert {span.error for span in spans} == {None, "ContentFilterError"}
    assert "gift" not in str(spans)


def test_filters_limit_what_is_searched(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    only = Eq("source_document", "shops.csv")
    assert {hit.document for hit in kb.search("parcel", condition=only)} == {"shops.csv"}
    assert kb.ask("How long is the refund window?", condition=Eq("source_document", "none")).refused


def test_search_says_where_hits_come_from(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    first, *_ = kb.search("gift cards", top_k=2)
    assert first.document == "returns.md"
    assert (first.lexical_rank, first.chunk.section) == (1, "Returns policy")
    assert first.dense_rank is not None


@pytest.mark.parametrize("question", ["", "   \n"])
def test_an_empty_question(kb: RAG, docs: Path, question: str) -> None:
    kb.ingest(docs)
    with pytest.raises(InputError, match="question is empty"):
        kb.ask(question)


def test_a_far_too_long_question(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    with pytest.raises(InputError, match=r"100,000 characters; at most 20,000"):
        kb.ask("x" * 100_000)


def test_an_empty_knowledge_base(kb: RAG) -> None:
    with pytest.raises(InputError, match=r"is empty.*rag ingest"):
        kb.ask("Anything?")
    with pytest.raises(InputError, match="top_k must be a whole number of at least 1"):
        kb.search("x", top_k=0)


def test_more_hits_than_there_are(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    assert len(kb.search("gift cards", top_k=10**6)) == kb.status().totals.chunks


def test_another_embedder_is_refused_and_nothing_is_lost(tmp_path: Path, docs: Path) -> None:
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}) as kb:
        kb.ingest(docs)
    with (
        RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}, embedder=FakeEmbedder()) as other,
        pytest.raises(KnowledgeBaseMismatchError, match=r"embedded/wordllama.*scripted/hashing.*rag ingest"),
    ):
        other.search("gift cards")
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}) as kb:
        assert kb.search("gift cards")


def test_an_embedder_of_ones_own(tmp_path: Path, docs: Path) -> None:
    embedder = FakeEmbedder()
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}, embedder=embedder) as kb:
        kb.ingest(docs)
        assert kb.search("gift cards")[0].document == "returns.md"
    assert embedder.closed


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
@pytest.mark.parametrize("fusion", ["weighted", "rrf"])
def test_every_way_to_search(tmp_path: Path, docs: Path, mode: str, fusion: str) -> None:
    settings = {"retrieval.mode": mode, "retrieval.fusion": fusion}
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}, settings=settings) as kb:
        kb.ingest(docs)
        hit = kb.search("gift cards cannot be returned")[0]
    assert hit.document == "returns.md"
    assert (hit.dense_rank is None) == (mode == "lexical")
    assert (hit.lexical_rank is None) == (mode == "dense")


def test_a_corrupt_knowledge_base(tmp_path: Path) -> None:
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "knowledge.db").write_bytes(b"no database at all " * 500)
    with pytest.raises(CorruptStateError, match=r"knowledge\.db is damaged"):
        RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={})


def test_a_newer_knowledge_base(tmp_path: Path, docs: Path) -> None:
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}) as kb:
        kb.ingest(docs)
        with kb._parts.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE components SET version = 99 WHERE name = 'catalogue'")
    with pytest.raises(NewerStateError, match="Upgrade"):
        RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={})


def test_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'openai/gpt-5'"):
        RAG.open(tmp_path / "kb", home=tmp_path / "home", model="opneai/gpt-5", environ={})
    assert not (tmp_path / "kb").exists(), "a mistake must not leave a folder behind"


def test_a_question_with_broken_characters(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    assert kb.ask("Are gift cards \udcff returned?").question == "Are gift cards ? returned?"


async def test_closing_from_async_code_ends_the_thread_of_the_sync_face(tmp_path: Path, docs: Path) -> None:
    kb = RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={})
    kb.ingest(docs)
    thread = kb._loop._thread
    assert thread is not None
    await kb.aclose()
    assert not thread.is_alive()


def test_closing_twice_and_asking_afterwards(tmp_path: Path, docs: Path) -> None:
    kb = RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={})
    kb.ingest(docs)
    kb.close()
    kb.close()
    with pytest.raises(InputError, match="is closed"):
        kb.ask("Are gift cards returned?")


def test_a_part_that_cannot_be_closed_keeps_no_other_open(tmp_path: Path, docs: Path) -> None:
    class Stuck(FakeEmbedder):
        async def close(self) -> None:
            raise RuntimeError("stuck")

    kb = RAG.open(tmp_path / "kb", home=tmp_path / "home", embedder=Stuck(), environ={})
    kb.ingest(docs)
    trace_id = kb.ask("Are gift cards returned?").trace_id
    parts, thread = kb._parts, kb._loop._thread
    with pytest.raises(RuntimeError, match="stuck"):
        kb.close()
    assert parts.engine.pool.checkedin() == 0  # type: ignore[attr-defined]  # the pool of open connections is empty
    assert read_trace(parts.home.engine, trace_id), "the last spans are stored"
    assert thread is not None
    assert not thread.is_alive()


def test_a_knowledge_base_that_is_forgotten_leaves_nothing_open(tmp_path: Path, docs: Path) -> None:
    kb = RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={})
    kb.ingest(docs)
    thread = kb._loop._thread
    engine = kb._parts.engine
    assert thread is not None
    del kb
    gc.collect()
    assert not thread.is_alive()
    assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]  # the pool of open connections is empty


def test_what_stands_guard_over_one_that_is_forgotten_is_closed_beside(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    closed = threading.Event()

    class Watched(RedisLink):
        def close(self) -> None:
            super().close()
            closed.set()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("routing.protection.RedisLink", Watched)
        settings = {"routing.shared": "redis://127.0.0.1:1", "routing.budgets": [{"name": "all", "limit": 1}]}
        kb = RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}, settings=settings)
    del kb
    gc.collect()
    assert closed.wait(10)


async def test_async_with(tmp_path: Path, docs: Path) -> None:
    async with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}) as kb:
        await kb.aingest(docs)
        assert (await kb.asearch("gift cards"))[0].document == "returns.md"


def test_no_evidence_costs_no_call(tmp_path: Path, docs: Path) -> None:
    kb, model = opened(tmp_path, "never")
    with kb:
        kb.ingest(docs)
        answer = kb.ask("How long?", condition=Eq("source_document", "none"))
    assert answer.refused
    assert model.requests == []


def test_the_reply_may_depend_on_the_request(tmp_path: Path, docs: Path) -> None:
    def quote(request: ChatRequest) -> str:
        return f"{request.evidence[0].text.splitlines()[0]} [Source: {request.evidence[0].document}]"

    kb, _ = opened(tmp_path, quote)
    with kb:
        kb.ingest(docs)
        assert kb.ask("gift cards").citations[0].document == "returns.md"


def test_a_document_is_removed_and_comes_back_with_its_file(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    by_name = {row["name"]: row["id"] for row in kb.status().documents}
    assert kb.remove(by_name["returns.md"]) is True
    assert kb.remove(by_name["returns.md"]) is False
    assert {hit.document for hit in kb.search("refund window gift cards")} <= {"shops.csv", "more/shipping 🙂.md"}
    assert kb.ingest(docs).count("added") == 1
    assert "returns.md" in {hit.document for hit in kb.search("refund window")}


@pytest.mark.parametrize("top_k", [0, -1, 1.5, "3", True])
def test_a_number_of_hits_that_cannot_be_is_refused(kb: RAG, docs: Path, top_k: Any) -> None:
    kb.ingest(docs)
    with pytest.raises(InputError, match="top_k must be a whole number of at least 1"):
        kb.search("refund", top_k=top_k)


@pytest.mark.parametrize("question", [None, 7, b"refund", ["refund"]])
def test_a_question_that_is_no_text_is_refused(kb: RAG, docs: Path, question: Any) -> None:
    kb.ingest(docs)
    with pytest.raises(InputError, match="A question is text, not"):
        kb.ask(question)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"access": "acme"}, "access is 'acme', of type str and no Access"),
        ({"access": {"tenant": "acme"}}, "of type dict and no Access"),
        ({"tenant": 5}, "A tenant and a group have a name, which 5 is not"),
        ({"condition": ["a"]}, r"\['a'\] is no filter"),
        ({"history": "Hello."}, "history is of type str and no list of messages"),
        ({"history": {"role": "user"}}, "history is of type dict and no list of messages"),
        ({"history": None}, "history is of type NoneType and no list of messages"),
        ({"history": [Message("user", "Hello."), {"role": "user"}]}, r"history\[1\] is of type dict and no Message"),
        ({"history": [Message("user", 5)]}, r"history\[0\] is of type int and no Message with text"),  # type: ignore[arg-type]  # the mistake
    ],
)
def test_arguments_of_a_wrong_type_are_named(kb: RAG, docs: Path, arguments: dict[str, Any], message: str) -> None:
    kb.ingest(docs)
    with pytest.raises(InputError, match=message):
        kb.ask("How long is the refund window?", **arguments)
    with pytest.raises(InputError, match=message):
        list(kb.stream("How long is the refund window?", **arguments))
    if "history" not in arguments:
        with pytest.raises(InputError, match=message):
            kb.search("refund", **arguments)


def test_a_history_of_messages_is_taken_in_any_row(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    for history in ([Message("user", "Hello.")], (Message("user", "Hello."),), iter([Message("user", "Hello.")]), []):
        assert not kb.ask("How many days does a parcel to Iceland take?", history=history).refused  # type: ignore[arg-type]  # an iterator will do


def test_a_language_that_is_none_is_refused_when_it_is_configured(tmp_path: Path) -> None:
    settings = {"store.lexical.language": "germn"}
    with pytest.raises(ConfigError, match=r"store\.lexical\.language: 'germn': .* there are de \(German\)"):
        RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}, settings=settings)
