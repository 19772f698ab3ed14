"""A comparison ready to run: settings read, configurations checked, workload made, all named by a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from evals.corpus import hash_files
from evals.cost.checks import check_budget, check_models
from evals.cost.claims import check_levers
from evals.cost.configs import Config, read_config
from evals.cost.generate import generate
from evals.cost.log import read_log
from evals.cost.settings import DEFAULT_CONFIGS, DEFAULT_QUERIES, SuiteSettings
from evals.cost.simulated import Clock, SimulatedModel
from evals.cost.workload import Workload, plain
from evals.rows import load_dataset
from evals.sample import read_paraphrases, sample_corpus, sample_paraphrases, sample_questions
from evals.versions import running_code
from plumbline.errors import ConfigError, InputError


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
        parts: dict[str, Any] = {
            "code": running_code(),
            "documents": hash_files(self.docs),
            "workload": self.workload.hash,
            "seed": self.seed,
            "configs": {config.name: config.facts() for config in self.configs},
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
    configs = tuple(read_config(name, entry, folder, environ) for name, entry in entries.items())
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
        check_budget(config, budget, workload, given=settings.budget is not None)
        check_models(config, environ)
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
