"""Plans: each switch adds its searches, and what cannot be done is left out and said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import ConfigError
from rag import RAG
from rag.index.filters import And, Eq, Filter, In
from rag.retrieve.plan import Asked, PlainPlanner, QueryPlan
from rag.retrieve.settings import QuestionSettings
from rag.retrieve.transform import build_planner
from routing.chat import ChatRequest, Message
from routing.errors import AuthenticationError, BudgetError, ConnectionFailedError, ModelError
from routing.policy.step import Step
from routing.testing.fakes import ScriptedChatModel

QUOTES = Step("extractive/default", "generation.model")
WRITER = Step("scripted/chat", "generation.model")
REPLIES = {
    "rewrite": '{"question": "What did Northwind earn in 2022?"}',
    "hyde": "Northwind earned 12 million.",
    "variants": '{"questions": ["Northwind income 2022"]}',
    "decompose": '{"questions": ["What did Northwind sell?", "What did Northwind spend?"]}',
}


def knowledge(folder: Path) -> RAG:
    docs = folder / "docs"
    docs.mkdir()
    for name in ("NORTHWIND_2021_10K", "NORTHWIND_2022_10K", "BLUEHARBOR_2022_10K", "handbook", "parking"):
        table = "| Income | 12 | 11 |\n|---|---|---|\n| Costs | 7 | 8 |\n"
        text = f"# Report\n\n## Item 1. Business\n\nIncome and costs of {name} are told here.\n\n## Item 7\n\n{table}"
        (docs / f"{name}.md").write_text(text, encoding="utf-8")
    kb = RAG.open(folder / "kb", home=folder / "home", environ={})
    kb.ingest(docs)
    return kb


@dataclass
class Setting:
    """A planner over a small knowledge base, with a model that answers by what it is asked for."""

    kb: RAG
    replies: Mapping[str, str | ModelError] = field(default_factory=lambda: dict(REPLIES))

    def plan(
        self,
        question: str,
        history: Sequence[Message] = (),
        condition: Filter | None = None,
        **switches: Any,
    ) -> QueryPlan:
        from rag.retrieve.question_filters_names import DocumentNames
        from routing.router import Router
        from routing.settings import RetrySettings

        def reply(request: ChatRequest) -> str:
            found = self.replies[request.tags.purpose]
            if isinstance(found, ModelError):
                raise found
            return found

        parts = self.kb.parts
        router = Router([ScriptedChatModel(reply)], meter=parts.meter, retry=RetrySettings(attempts=1))
        planner = build_planner(
            QuestionSettings(**switches),
            writer=WRITER,
            make_router=lambda: router,
            names=DocumentNames(parts.engine, parts.path / "knowledge.db", parts.changes),
        )
        return asyncio.run(planner.plan(question, history, condition))


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> RAG:
    return knowledge(tmp_path_factory.mktemp("planned"))


@pytest.fixture(scope="module", autouse=True)
def closed(kb: RAG) -> Any:
    yield
    kb.close()


def test_without_a_switch_the_question_is_searched_for(kb: RAG) -> None:
    assert Setting(kb).plan("What?") == QueryPlan("What?", (Asked("What?"),))


def test_a_model_that_quotes_cannot_write() -> None:
    def build(**switches: Any) -> object:
        return build_planner(
            QuestionSettings(**switches),
            writer=QUOTES,
            make_router=_never,
            names=_never(),
        )

    with pytest.raises(ConfigError, match=r"retrieval\.question\.hyde needs a language model"):
        build(hyde=True, filters=True)


def _never() -> Any:
    return None


def test_filters_and_figures_need_no_model(kb: RAG) -> None:
    planner = build_planner(QuestionSettings(), writer=QUOTES, make_router=_never, names=_never())
    assert isinstance(planner, PlainPlanner)
    plan = Setting(kb, {}).plan("What was Northwind's income in 2021?", filters=True, figures=True)
    assert plan.narrow == In("source_document", ("NORTHWIND_2021_10K.md",))
    assert plan.figures > 0
    assert plan.notes[0] == "Searched only NORTHWIND_2021_10K.md, for “Northwind”, “2021”."


def test_every_switch_adds_its_searches(kb: RAG) -> None:
    history = (Message("user", "Tell me about Northwind."),)
    plan = Setting(kb).plan("And in 2022?", history, rewrite=True, hyde=True, variants=2, decompose=3, filters=True)
    question = "What did Northwind earn in 2022?"
    assert plan.question == question
    assert plan.searches == (
        Asked(question),
        Asked(question, "Northwind earned 12 million."),
        Asked("Northwind income 2022"),
        Asked("What did Northwind sell?"),
        Asked("What did Northwind spend?"),
    )
    assert plan.narrow == In("source_document", ("NORTHWIND_2022_10K.md",))
    assert plan.notes[0] == f"Understood from the conversation as: {question}"


def test_nothing_is_rewritten_without_a_conversation(kb: RAG) -> None:
    assert Setting(kb, {}).plan("And in 2022?", rewrite=True).question == "And in 2022?"


@pytest.mark.parametrize(
    "failure",
    [
        "no JSON",
        ConnectionFailedError("The line is dead.", model="scripted/chat"),
        BudgetError("Nothing is left.", model="scripted/chat"),
    ],
    ids=["form", "line", "budget"],
)
def test_what_a_model_cannot_do_is_left_out_and_said(kb: RAG, failure: str | ModelError) -> None:
    setting = Setting(kb, {**REPLIES, "rewrite": failure, "variants": failure})
    plan = setting.plan("What?", (Message("user", "Hello"),), rewrite=True, variants=2, hyde=True)
    assert plan.question == "What?"
    assert plan.searches == (Asked("What?"), Asked("What?", "Northwind earned 12 million."))
    assert [note.split(" was left out")[0] for note in plan.notes if "left out" in note] == [
        "retrieval.question.rewrite",
        "retrieval.question.variants",
    ]


def test_a_wrong_key_is_no_bad_day(kb: RAG) -> None:
    setting = Setting(kb, {"hyde": AuthenticationError("The key is wrong.", model="scripted/chat")})
    with pytest.raises(AuthenticationError):
        setting.plan("What?", hyde=True)


def test_the_callers_condition_stays_and_hides_what_it_excludes(kb: RAG) -> None:
    mine = Eq("source_document", "NORTHWIND_2022_10K.md")
    plan = Setting(kb).plan("What was Blue Harbor's income in 2022?", condition=mine, filters=True)
    assert plan.condition == mine
    assert plan.narrow is None
    assert "Blue Harbor" not in " ".join(plan.notes)
    plan = Setting(kb).plan("What was Northwind's income in 2022?", condition=mine, filters=True)
    assert plan.narrow == In("source_document", ("NORTHWIND_2022_10K.md",))
    assert plan.filter(plan.searches[0]) == And((mine, plan.narrow))
    assert plan.widened().filter(plan.searches[0]) == mine


def test_pages_and_sections_of_a_named_document_are_preferred(kb: RAG) -> None:
    plan = Setting(kb).plan("What does Item 7 on page 12 of Northwind's 2021 10-K say?", filters=True)
    assert [asked.condition for asked in plan.searches] == [
        None,
        Eq("page_number", 12),
        In("section_heading", ("Report > Item 7",)),
    ]
    assert plan.notes[1:] == ("Preferred page 12.", "Preferred “Item 7”.")


def test_names_follow_the_documents(kb: RAG, tmp_path: Path) -> None:
    question = "What is said of Larkspur's garden?"
    setting = Setting(kb)
    assert setting.plan(question, filters=True).notes == ()
    (tmp_path / "LARKSPUR.md").write_text("The garden of Larkspur is green.", encoding="utf-8")
    kb.ingest(tmp_path)
    assert setting.plan(question, filters=True).notes == ("Preferred LARKSPUR.md, for “Larkspur”.",)
