"""One configuration of a comparison, read and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from evals.cost.budget import Budget
from evals.cost.budgeted import Purse
from evals.cost.catalog import bench_catalog
from evals.cost.profiles import Profile, profile
from evals.cost.settings import ConfigEntry
from evals.settings import config_source
from plumbline.errors import ConfigError
from plumbline.prompts import load_prompt
from rag.config import read_rag_settings
from rag.settings import RagSettings
from routing.chat import ChatModel
from routing.cost.price_file import price_table, shipped_prices
from routing.cost.prices import PriceTable
from routing.models.catalog import Catalog
from routing.policy.build import NO_FALLBACK


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration, read and checked. `profile` is set when its model is simulated."""

    name: str
    settings: RagSettings
    prices: PriceTable
    profile: Profile | None = None
    unpriced: bool = False

    @property
    def models(self) -> tuple[str, ...]:
        """The real models it may call, by the names that prices know."""
        routing, generation = self.settings.routing, self.settings.generation
        named = [self.settings.embedding.model]
        named += [] if self.profile else [generation.model]
        named += [] if routing.fallback == NO_FALLBACK else [routing.fallback]
        return tuple(dict.fromkeys(name.partition("@")[0] for name in named))

    def facts(self) -> list[Any]:
        """All that decides what it answers and costs, as JSON can hold it."""
        answer = self.settings.answer
        return [
            self.settings.model_dump(mode="json"),
            None if self.profile is None else self.profile.model_dump(mode="json"),
            repr([self.prices.find(name) for name in (self.settings.generation.model, *self.models)]),
            [load_prompt(name).body for name in (answer.system_prompt, answer.question_prompt)],
        ]


def read_config(name: str, entry: ConfigEntry, folder: Path, environ: Mapping[str, str] | None) -> Config:
    """The configuration that `entry` describes; a YAML file is relative to `folder`. Raises `ConfigError`."""
    assumed = profile(entry.simulate) if entry.simulate else None
    overrides = dict(entry.settings)
    if assumed is not None:
        if overrides.get("generation.model", assumed.model) != assumed.model:
            raise ConfigError(
                f"Configuration '{name}': '{entry.simulate}' simulates {assumed.model}, "
                f"not {overrides['generation.model']}.",
                key=f"configs.{name}.settings",
                hint="Leave generation.model out.",
            )
        overrides["generation.model"] = assumed.model
    settings = read_rag_settings(
        config_source(entry.config, folder),
        environ=os.environ if environ is None else environ,
        overrides=overrides,
        catalog=penniless_catalog(assumed),
    )
    return Config(name, settings, price_table(settings.routing), assumed, entry.unpriced)


def penniless_catalog(profile: Profile | None) -> Catalog:
    """The catalogue by which names and keys are checked: nothing it makes can spend anything."""

    def make(profile: Profile) -> ChatModel:
        raise AssertionError(f"{profile.model} is made when the suite runs")

    return bench_catalog(Purse(Budget(Decimal(0)), shipped_prices()), profile, make)
