"""A comparison ready to run: settings read, configurations checked, workload made, all named by a fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from evals.cost.budget import Budget
from evals.cost.budgeted import Purse
from evals.cost.catalog import bench_catalog
from evals.cost.claims import check_levers
from evals.cost.generate import generate
from evals.cost.log import read_log
from evals.cost.profiles import Profile, profile
from evals.cost.settings import DEFAULT_CONFIGS, DEFAULT_QUERIES, ConfigEntry, SuiteSettings
from evals.cost.simulated import Clock, SimulatedModel
from evals.cost.workload import Workload, plain
from evals.rows import load_dataset
from evals.sample import read_paraphrases, sample_corpus, sample_paraphrases, sample_questions
from plumbline.errors import ConfigError, InputError
from plumbline.prompts import load_prompt
from rag import __version__
from rag.config import NO_FALLBACK, read_rag_settings
from rag.settings import RagSettings
from routing.cost.prices import PriceTable, parse_price, shipped_prices


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


@dataclass(frozen=True, slots=True)
class Suite:
    """Everything that decides what a run measures, and the budget, which does not."""

    name: str
    docs: Path
    workload: Workload
    configs: tuple[Config, ...]
    budget: Decimal
    seed: int
    levers: Mapping[str, tuple[str, str]]
    sample: bool

    def fingerprint(self) -> dict[str, str]:
        """A hash of each part: results of runs with equal fingerprints belong together."""
        configs = {
            config.name: [
                config.settings.model_dump(mode="json"),
                config.profile and config.profile.model_dump(mode="json"),
                repr([config.prices.find(name) for name in (config.settings.generation.model, *config.models)]),
                [
                    load_prompt(name).body
                    for name in (config.settings.answer.system_prompt, config.settings.answer.question_prompt)
                ],
            ]
            for config in self.configs
        }
        parts: dict[str, Any] = {
            "version": __version__,
            "documents": _hashes(self.docs),
            "workload": self.workload.hash,
            "seed": self.seed,
            "configs": configs,
        }
        return {name: hashlib.sha256(json.dumps(part).encode()).hexdigest()[:16] for name, part in parts.items()}


def make_suite(settings: SuiteSettings, folder: Path, environ: Mapping[str, str] | None = None) -> Suite:
    """The suite that `settings` describe; relative paths are below `folder`, that of the suite file.

    Raises `ConfigError` or `InputError` for whatever cannot work, before anything is asked.
    """
    entries = settings.configs or DEFAULT_CONFIGS
    check_levers(settings.levers)
    for lever, pair in settings.levers.items():
        for name in (pair.without, pair.with_):
            if name not in entries:
                raise ConfigError(
                    f"levers.{lever}: there is no configuration '{name}' (there are: {', '.join(entries)}).",
                    key=f"levers.{lever}",
                    value=name,
                )
    workload = _workload(settings, folder)
    budget = settings.budget or Decimal(0)
    configs = tuple(_config(name, entry, folder, environ) for name, entry in entries.items())
    docs = folder / settings.docs if settings.docs else sample_corpus()
    if not docs.exists():
        raise InputError(f"There is no file or folder {docs} (docs).")
    suite = Suite(
        settings.name,
        docs,
        workload,
        configs,
        budget,
        settings.seed,
        {lever: (pair.without, pair.with_) for lever, pair in settings.levers.items()},
        sample=settings.docs is None,
    )
    for config in configs:
        _check_budget(config, budget, workload, given=settings.budget is not None)
    return suite


def simulated(config: Config, suite: Suite, clock: Clock) -> SimulatedModel:
    """The simulated model of a configuration that has one."""
    assert config.profile is not None  # asked for configurations with one
    key = {plain(query.question): query.answers for query in suite.workload.queries}
    return SimulatedModel(config.profile, key, clock, seed=suite.seed)


def _workload(settings: SuiteSettings, folder: Path) -> Workload:
    if settings.log:
        return read_log(
            folder / settings.log, limit=settings.queries, per_minute=settings.per_minute, seed=settings.seed
        )
    questions = load_dataset(folder / settings.questions) if settings.questions else sample_questions()
    if settings.paraphrases:
        paraphrases = read_paraphrases(folder / settings.paraphrases)
    else:
        paraphrases = {} if settings.questions else sample_paraphrases()
    return generate(
        questions,
        paraphrases,
        queries=settings.queries or DEFAULT_QUERIES,
        zipf=settings.zipf,
        share_paraphrased=settings.paraphrased,
        per_minute=settings.per_minute,
        seed=settings.seed,
    )


def _config(name: str, entry: ConfigEntry, folder: Path, environ: Mapping[str, str] | None) -> Config:
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
    # Only names are checked here, so no model is made and no purse is opened.
    nobody = bench_catalog(Purse(Budget(Decimal(0)), shipped_prices()), assumed, _never)
    own_file = entry.config is not None and Path(entry.config).suffix in {".yaml", ".yml"}
    settings = read_rag_settings(
        folder / entry.config if own_file and entry.config else entry.config,
        environ=os.environ if environ is None else environ,
        overrides=overrides,
        catalog=nobody,
    )
    own = {
        model: parse_price(model, price.model_dump(exclude_none=True))
        for model, price in settings.routing.prices.items()
    }
    return Config(name, settings, shipped_prices().with_prices(own), assumed, entry.unpriced)


def _never(profile: Profile) -> SimulatedModel:
    raise AssertionError(f"{profile.model} is made when the suite runs")


def _check_budget(config: Config, budget: Decimal, workload: Workload, *, given: bool) -> None:
    """Raise `ConfigError` when a real model has no price, or when the budget does not reach for its first call."""
    from evals.cost.budget import most_of_chat, most_of_texts
    from routing.chat import ChatRequest, Message

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
            said = f"the budget is ${budget}" if given else "there is no budget"
            raise ConfigError(
                f"Configuration '{config.name}': one call of {model} can cost ${least:.6f} and more, and {said}.",
                key="budget",
                value=str(budget),
                hint="Set a budget in dollars with --budget (or `budget` in the suite); nothing was spent.",
            )


def _hashes(docs: Path) -> dict[str, str]:
    files = [docs] if docs.is_file() else sorted(path for path in docs.rglob("*") if path.is_file())
    return {str(path.relative_to(docs.parent)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
