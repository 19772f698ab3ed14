"""Who would answer a question, why, and at what price: what `rag route` says, without asking any model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import get_args

from plumbline.prompts import load_prompt
from plumbline.reading import ReadConnection
from plumbline.text.tokens import estimate_tokens
from rag.calls import prices_with
from rag.models import Models
from rag.output import Dollars, Output
from rag.settings import RagSettings
from rag.wants import checked
from rag.wants import question as asked
from routing.chat import ChatOptions, ChatRequest, Message, Tags, Tier, Usage, Wants
from routing.models.catalog import DEFAULT_CATALOG, Catalog
from routing.policy import Considered, Plan
from routing.policy.build import build_routes
from routing.resilience.fallback import Reason

RECENT = 200
"""So many of a model's last answers say how long they are as a rule."""
_WORD = "word"  # four letters: what a token is estimated to be
_LENGTHS = (
    "SELECT avg(output_tokens) FROM (SELECT output_tokens FROM ledger WHERE kind = 'chat' AND model = ? "
    "AND purpose = ? AND error IS NULL ORDER BY id DESC LIMIT ?)"
)


@dataclass(frozen=True, slots=True)
class Route:
    """A plan, and what it rests on: `fallbacks` are the models asked next, by why the first one cannot answer.

    `input_tokens` is what the prompt is estimated to have, as `counted` says; `output_tokens` what an answer may have.
    """

    question: str
    plan: Plan
    fallbacks: dict[Reason, tuple[str, ...]]
    input_tokens: int
    counted: str
    output_tokens: int


class ConsideredOutput(Output):
    """One model: `most` is what its answer costs at most, `typical` when it is as long as its answers were."""

    model: str
    eligible: bool
    why_not: str | None
    most: Dollars | None
    typical: Dollars | None

    @classmethod
    def of(cls, considered: Considered) -> ConsideredOutput:
        """From what the policy considered."""
        return cls(**{name: getattr(considered, name) for name in cls.model_fields})


class RouteOutput(Output):
    """What `rag route --json` prints; `considered` and `fallbacks` only with `--explain`."""

    question: str
    models: list[str]
    rule: str | None
    reason: str
    input_tokens: int
    counted: str
    output_tokens: int
    considered: list[ConsideredOutput] | None
    fallbacks: dict[str, list[str]] | None

    @classmethod
    def of(cls, route: Route, *, explain: bool) -> RouteOutput:
        """From a route."""
        plan = route.plan
        return cls(
            question=route.question,
            models=list(plan.models),
            rule=plan.rule,
            reason=plan.reason,
            input_tokens=route.input_tokens,
            counted=route.counted,
            output_tokens=route.output_tokens,
            considered=[ConsideredOutput.of(each) for each in plan.considered] if explain else None,
            fallbacks={reason: list(names) for reason, names in route.fallbacks.items()} if explain else None,
        )


def route(
    question: str,
    settings: RagSettings,
    *,
    tags: Tags = Tags(),
    wants: Wants | None = None,
    tokens: int | None = None,
    home: Path | None = None,
    catalog: Catalog = DEFAULT_CATALOG,
) -> Route:
    """Who would answer `question`; `tokens` is how long the whole prompt is, `None`: as it would probably be.

    `home` is the file of the ledger that knows how long answers are. Raises `ConfigError`, and the `InputError` or
    `ModelError` that asking would raise.
    """
    question = asked(question, settings.answer.max_question_characters)
    routes = build_routes(settings.routing, settings.generation.model, facts=catalog.facts)
    prices = prices_with(settings.routing, catalog.prices(routes.configured.values()))
    most_output = settings.generation.max_tokens
    wanted = checked(wants, routes)
    for step, hint in Models(settings, catalog).needed():
        step.check(wanted, hint)
    request, counted = _request(question, settings, tags, wanted, tokens)
    length = sum(estimate_tokens(message.content) for message in request.messages)
    lengths = _lengths(home, tags.purpose)
    batched = catalog.full_name(settings.generation.model) if settings.generation.batch else None

    def predict(model: str) -> tuple[Decimal | None, Decimal | None]:
        usual = lengths(model)
        tier: Tier = "batch" if model == batched else "standard"
        most = prices.cost(model, Usage(length, most_output), tier)
        return most, None if usual is None else prices.cost(model, Usage(length, min(usual, most_output)), tier)

    plan = routes.policy.explained(request, predict)
    own = routes.policy.chains(plan)
    fallbacks = {reason: own.get(reason, plan.models[1:]) for reason in get_args(Reason)}
    return Route(question, plan, fallbacks, length, counted, most_output)


def _request(
    question: str, settings: RagSettings, tags: Tags, wants: Wants, tokens: int | None
) -> tuple[ChatRequest, str]:
    """What would be sent, with words in the place of evidence, and how its length came about."""
    system = load_prompt(settings.answer.system_prompt).body
    turn = load_prompt(settings.answer.question_prompt)
    passages, size = settings.retrieval.top_n, settings.chunking.size
    evidence = min(passages * size, settings.retrieval.context_tokens)
    counted = f"estimated: prompts, question, {passages} passages of up to {size} tokens"
    if tokens is not None:
        around = estimate_tokens(system) + estimate_tokens(turn.render({"context": "", "question": question}))
        evidence, counted = max(tokens - around, 0), "as told"
    user = turn.render({"context": _WORD * evidence, "question": question})
    options = ChatOptions(temperature=settings.generation.temperature, max_tokens=settings.generation.max_tokens)
    request = ChatRequest(
        (Message("system", system), Message("user", user)), options, question=question, tags=tags, wants=wants
    )
    return request, counted


def _lengths(home: Path | None, purpose: str) -> Callable[[str], int | None]:
    """How many tokens a model's answers have as a rule, where the ledger knows."""
    if home is None or not home.exists():
        return lambda model: None
    reading = ReadConnection(home)

    def length(model: str) -> int | None:
        ((average,),) = reading.rows(_LENGTHS, (model, purpose, RECENT))
        return None if average is None else round(average)

    return length
