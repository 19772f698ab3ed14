from __future__ import annotations

from collections.abc import Sequence

import pytest

from routing.chat import (
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Completed,
    Evidence,
    Image,
    Message,
    TextDelta,
    Tool,
    Usage,
)
from routing.errors import ModelNotFoundError, UnsupportedError
from routing.models.embedded import EmbeddedEmbedder
from routing.models.extractive import MAX_EVIDENCE_CHARS, REFUSAL, ExtractiveModel
from routing.testing.chat import check_chat_model
from routing.vectors import Embeddings

TERMS = (
    "Returns. The refund window closes thirty days after delivery. Shipping costs are not refunded. "
    "Ms. Rossi decides about exceptions."
)
HISTORY = (
    "Harbour & Sons was founded in Genoa in 1921 by Carla Bianchi. It sold ropes and sails to the merchant fleet. "
    "In 1954 the company moved to Trieste because the old quay had been destroyed in the war. "
    "Today it employs 340 people."
)
TABLE = "Net sales by category\nProducts $ 316,199 $ 297,392\nServices 78,129 68,425\nTotal net sales 394,328 365,817"
FAQ = (
    "Frequently asked questions\n\nWhat is the refund window?\nThirty days after delivery.\n\n"
    "Who pays for shipping?\nThe customer pays."
)
TWO_PARTS = "Where was Harbour & Sons founded and why did the company move?"
MODELS = [ExtractiveModel(), ExtractiveModel(embedder=EmbeddedEmbedder())]
both = pytest.mark.parametrize("model", MODELS, ids=["words", "vectors"])


async def ask(model: ExtractiveModel, question: str | None, *passages: str) -> ChatResponse:
    evidence = tuple(Evidence(text, f"{i}.txt") for i, text in enumerate(passages))
    request = ChatRequest((Message("user", "?"),), question=question, evidence=evidence)
    response = await model.complete(request)
    for span in response.citations:
        quote = passages[span.index][span.start : span.end]
        assert quote == response.text[span.answer_start : span.answer_end] != ""
    assert response.confidence is not None
    assert 0 <= response.confidence <= 1
    assert response.usage == Usage()
    assert response.refused == (response.text == REFUSAL) == (not response.citations)
    return response


@both
async def test_it_keeps_the_contract(model: ExtractiveModel) -> None:
    await check_chat_model(model, local=True)


@both
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("When does the refund window close?", "thirty days after delivery"),
        ("Are shipping costs refunded?", "Shipping costs are not refunded."),
        ("Who founded Harbour & Sons?", "Carla Bianchi"),
        ("Why did the company move to Trieste?", "because the old quay had been destroyed"),
        ("How many people does the company employ?", "340 people"),
        ("What did Harbour & Sons sell to the fleet?", "ropes and sails"),
        ("What were the net sales of services?", "Services 78,129"),
    ],
)
async def test_it_quotes_the_sentence_that_answers(model: ExtractiveModel, question: str, answer: str) -> None:
    response = await ask(model, question, TERMS, HISTORY, TABLE)
    assert answer in response.text
    assert len(response.citations) <= 2


@both
@pytest.mark.parametrize(
    "question",
    ["Who is the mayor of Lisbon?", "Which vaccines do children need?", "How is a violin tuned?", "???", "who"],
)
async def test_it_abstains_when_nothing_answers(model: ExtractiveModel, question: str) -> None:
    assert (await ask(model, question, TERMS, HISTORY, TABLE)).refused


@both
async def test_it_abstains_without_a_question_or_evidence(model: ExtractiveModel) -> None:
    for question, passages in [
        (None, [TERMS]),
        ("", [TERMS]),
        ("When?", []),
        ("When does it close?", ["", " \n", "..."]),
    ]:
        response = await ask(model, question, *passages)
        assert response.refused
        assert response.finish_reason == "refusal"


@both
async def test_sentences_come_in_the_order_of_the_evidence(model: ExtractiveModel) -> None:
    response = await ask(model, TWO_PARTS, TERMS, HISTORY)
    assert [span.index for span in response.citations] == [1, 1]
    first, second = response.citations
    assert first.end < second.start
    assert first.answer_end + 1 == second.answer_start


@both
async def test_a_heading_is_no_answer(model: ExtractiveModel) -> None:
    response = await ask(model, "What is the refund window?", "The refund window\n\n" + TERMS)
    assert not response.text.startswith("The refund window The")
    assert "thirty days" in response.text


@both
async def test_a_question_is_no_answer_and_what_follows_it_is(model: ExtractiveModel) -> None:
    assert "Thirty days after delivery." in (await ask(model, "What is the refund window?", FAQ)).text
    assert "The customer pays." in (await ask(model, "Who pays for shipping?", FAQ)).text
    assert "?" not in (await ask(model, "Who pays for shipping?", FAQ)).text


async def test_word_vectors_see_that_words_mean_the_same() -> None:
    passage = (
        "Employees may take the bus. The vehicle of a manager is washed on Fridays. Lunch is served at noon. "
        "The office opens at eight."
    )
    plain, seeing = [await ask(model, "Which day are cars cleaned?", passage) for model in MODELS]
    assert "Fridays" in seeing.text
    assert (seeing.confidence or 0) > (plain.confidence or 0)


async def test_the_limit_and_the_threshold_are_the_callers() -> None:
    one = await ask(ExtractiveModel(max_sentences=1), TWO_PARTS, HISTORY)
    assert len(one.citations) == 1
    assert (await ask(ExtractiveModel(threshold=1.0), TWO_PARTS, HISTORY)).refused
    assert not (await ask(ExtractiveModel(threshold=0.0), "How is a violin tuned?", HISTORY)).refused


@both
async def test_equal_requests_get_equal_answers(model: ExtractiveModel) -> None:
    asked = [await ask(model, "Who founded Harbour & Sons?", TERMS, HISTORY) for _ in range(3)]
    assert asked[0] == asked[1] == asked[2]


async def test_a_stream_gives_sentence_after_sentence() -> None:
    request = ChatRequest((), question=TWO_PARTS, evidence=(Evidence(HISTORY, "history.txt"),))
    events = [event async for event in ExtractiveModel().stream(request)]
    deltas = [event.text for event in events if isinstance(event, TextDelta)]
    assert len(deltas) == 2
    assert isinstance(events[-1], Completed)
    assert "".join(deltas) == events[-1].response.text


async def test_a_failing_embedder_costs_nothing_but_sight() -> None:
    class Failing(EmbeddedEmbedder):
        async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
            raise ModelNotFoundError("gone", model="embedded/none")

    question = "Who founded Harbour & Sons?"
    assert await ask(ExtractiveModel(embedder=Failing()), question, HISTORY) == await ask(MODELS[0], question, HISTORY)


@both
@pytest.mark.parametrize(
    ("question", "passage", "answer"),
    [
        (
            "¿Cuándo se fundó la empresa?",
            "La empresa vende velas. Se fundó en Génova en 1921. Hoy emplea a muchos.",
            "1921",
        ),
        ("Wann schließt das Büro?", "Das Büro liegt in Bonn. Das Büro schließt um 18 Uhr. Es gibt Kaffee.", "18 Uhr"),
        ("北京的人口是多少？", "北京是中国的首都。北京的人口是2100万。上海很大。", "2100万"),
    ],
)
async def test_other_languages(model: ExtractiveModel, question: str, passage: str, answer: str) -> None:
    assert answer in (await ask(model, question, passage)).text


@both
async def test_any_size_of_question_and_evidence(model: ExtractiveModel) -> None:
    filler = "The crane lifts cargo onto the ship while the crew waits on the quay. " * 30
    assert (await ask(model, "lorem ipsum dolor " * 6000, TERMS)).refused
    assert (await ask(model, "x" * 100_000, TERMS)).refused
    found = await ask(model, "Who founded Harbour & Sons?", *[filler] * 100, HISTORY, *[filler] * 10)
    assert "Carla Bianchi" in found.text
    cut = await ask(model, "Who founded Harbour & Sons?", "word " * (MAX_EVIDENCE_CHARS // 5), HISTORY)
    assert cut.refused
    huge = await ask(model, "Who founded Harbour & Sons?", HISTORY + " " + filler * 300)
    assert "Carla Bianchi" in huge.text


async def test_a_sentence_that_stands_twice_is_quoted_once() -> None:
    sentence = "Refunds are paid within five working days."
    evidence = (
        Evidence(f"{sentence} The desk opens at nine.", "a.pdf"),
        Evidence(f"Gift cards are excluded. {sentence.replace(' ', chr(10))}", "b.pdf"),
    )
    response = await ExtractiveModel().complete(ChatRequest((), question="When are refunds paid?", evidence=evidence))
    assert response.text.split().count("Refunds") == 1
    assert response.citations[0].index == 0


@pytest.mark.parametrize(
    "asked",
    [
        ChatRequest((Message("user", "Who?"),), response_schema={"type": "object"}),
        ChatRequest((Message("user", "Who?"),), options=ChatOptions(logprobs=1)),
        ChatRequest((Message("user", "Who?", images=(Image(b"x"),)),)),
        ChatRequest((Message("user", "Who?"),), tools=(Tool("find", "Finds", {}),)),
    ],
    ids=["schema", "logprobs", "images", "tools"],
)
async def test_it_refuses_what_it_cannot_do(asked: ChatRequest) -> None:
    with pytest.raises(UnsupportedError, match="extractive/default"):
        await ExtractiveModel().complete(asked)
