"""What is checked before anything is asked, so that nothing is spent on a run that cannot go far."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from evals.cost.budget import Budget, most_of_chat, most_of_texts
from evals.cost.budgeted import Purse
from evals.cost.configs import Config, penniless_catalog
from evals.cost.workload import Workload
from plumbline.errors import ConfigError
from plumbline.prompts import load_prompt
from routing.chat import ChatRequest, Message
from routing.policy.build import NO_FALLBACK


def check_budget(config: Config, budget: Decimal, workload: Workload, *, given: bool) -> None:
    """Raise `ConfigError` when a real model has no price, or when the budget does not reach for its first call."""
    purse = Purse(Budget(budget), config.prices, config.unpriced)
    first = workload.queries[0].question
    system = load_prompt(config.settings.answer.system_prompt).body
    for model in config.models:
        price = purse.price(model)
        if model == config.settings.embedding.model.partition("@")[0]:
            least = most_of_texts(price, [first])
        else:
            asked = ChatRequest((Message("system", system), Message("user", first)))
            least = most_of_chat(price, asked, config.settings.generation.max_tokens)
        if least > budget:
            said = f"the budget is ${budget:f}" if given else "there is no budget"
            raise ConfigError(
                f"Configuration '{config.name}': one call of {model} can cost ${least:.6f} and more, and {said}.",
                key="budget",
                value=str(budget),
                hint="Set a budget in dollars with --budget (or `budget` in the suite); nothing was spent.",
            )


def check_models(config: Config, environ: Mapping[str, str] | None) -> None:
    """Raise `MissingKeyError` or `MissingExtraError` when a real chat model of the configuration cannot be made."""
    catalog = penniless_catalog(config.profile)
    fallback = config.settings.routing.fallback
    wanted = [] if config.profile else [config.settings.generation.model]
    wanted += [] if fallback == NO_FALLBACK else [fallback]
    for name in wanted:
        catalog.chat_model(name, environ=environ)
