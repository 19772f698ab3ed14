"""A suite ready to run: its file read, its data loaded, every configuration checked, all of it hashed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.corpus import evals_folder, hash_files
from evals.dataset import Dataset
from evals.formats.squad import load_squad
from evals.metrics.contract import Metric
from evals.metrics.registry import find_metric
from evals.rows import load_dataset
from evals.settings import BASELINES, ConfigEntry, EvalSettings, config_source
from evals.versions import package_versions, running_code
from plumbline.errors import ConfigError, InputError
from plumbline.prompts import load_prompt
from plumbline.settings import read_settings_file
from rag.config import read_rag_settings
from rag.settings import RagSettings
from routing.batch.work import takes_batches
from routing.policy.build import NO_FALLBACK

FALLBACK = "routing.fallback"


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration under a name. Models of evals have no fallback unless their configuration names one."""

    name: str
    settings: RagSettings

    @property
    def hash(self) -> str:
        """Changes with any setting and any word of its prompts."""
        answer = self.settings.answer
        prompts = [load_prompt(name).body for name in (answer.system_prompt, answer.question_prompt)]
        return _hash([self.settings.model_dump(mode="json"), prompts])


@dataclass(frozen=True, slots=True)
class Suite:
    """What is asked of whom and how it is judged.

    `own` are the configurations of the suite's file, `aliases` maps an added baseline to the one of them it equals.
    """

    name: str
    dataset: Dataset
    corpus: Path
    configs: tuple[Config, ...]
    own: tuple[str, ...]
    metrics: tuple[Metric, ...]
    primary: str
    baseline: str
    aliases: Mapping[str, str]
    margin: float
    seed: int
    concurrency: int

    def fingerprint(self) -> dict[str, Any]:
        """What decides the outcomes: hashes of data, corpus, code and configurations with prompts; seed, versions."""
        return {
            "data": self.dataset.hash,
            "corpus": hash_files(self.corpus),
            "configs": {config.name: config.hash for config in self.configs},
            "seed": self.seed,
            "code": running_code(),
            "versions": package_versions(),
        }


def load_suite(
    path: str | Path,
    *,
    home: Path,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Suite:
    """Read the suite at `path`; `overrides` maps dotted keys of the suite to values and wins.

    Raises `ConfigError` or `InputError`, before anything is asked.
    """
    path = Path(path)
    settings = read_settings_file(EvalSettings, path, overrides=overrides)
    folder = path.parent
    dataset, corpus = _data(settings, folder, home)
    configs, aliases = _configs(settings, folder, os.environ if environ is None else environ)
    dataset = dataset.limited(settings.limit)
    if not any(map(find_metric(settings.primary).applies, dataset.examples)):
        raise InputError(
            f"{path}: the primary metric '{settings.primary}' applies to no question of {dataset.name}.",
            hint="Label questions with what it needs (docs/evals.md), or name another metric as 'primary'.",
        )
    return Suite(
        name=path.stem if settings.name == "suite" else settings.name,
        dataset=dataset,
        corpus=corpus,
        configs=configs,
        own=tuple(settings.configs),
        metrics=tuple(find_metric(name) for name in settings.metrics),
        primary=settings.primary,
        baseline=_baseline(settings, aliases),
        aliases=aliases,
        margin=settings.gate.margin,
        seed=settings.seed,
        concurrency=settings.concurrency,
    )


def _data(settings: EvalSettings, folder: Path, home: Path) -> tuple[Dataset, Path]:
    path = folder / settings.data.path
    if settings.data.format == "squad":
        dataset, corpus = load_squad(path, evals_folder(home))
    else:
        dataset, corpus = load_dataset(path), folder
    if settings.corpus is not None:
        corpus = folder / settings.corpus
    if not corpus.exists():
        raise InputError(f"There is no file or folder {corpus} (corpus).")
    return dataset, corpus


def _baseline(settings: EvalSettings, aliases: Mapping[str, str]) -> str:
    """As named, else the first configuration; for a single one, the first added baseline that is not the same."""
    if settings.baseline is not None:
        return aliases.get(settings.baseline, settings.baseline)
    if len(settings.configs) > 1:
        return next(iter(settings.configs))
    return next(name for name in BASELINES if name not in aliases)


def _configs(
    settings: EvalSettings, folder: Path, environ: Mapping[str, str]
) -> tuple[tuple[Config, ...], dict[str, str]]:
    """The configurations and baselines; a baseline that equals a configuration is its alias and not run twice.

    Raises `ConfigError` when a metric at k looks deeper than a configuration retrieves.
    """
    configs = [_config(name, entry, folder, environ) for name, entry in settings.configs.items()]
    if settings.batch:
        configs = [Config(config.name, _in_batches(config.settings)) for config in configs]
    depth = max((int(name.partition("@")[2] or 0) for name in settings.metrics), default=0)
    for config in configs:
        if config.settings.retrieval.top_k < depth:
            raise ConfigError(
                f"A metric looks at the first {depth} hits, and configuration '{config.name}' retrieves "
                f"{config.settings.retrieval.top_k}.",
                key=f"configs.{config.name}",
                hint=f"Set retrieval.top_k to {depth} there; the baselines follow.",
            )
    deep = {"retrieval.top_k": max(depth, read_rag_settings(environ={}).retrieval.top_k)}
    aliases = {}
    for name, changes in BASELINES.items():
        added = Config(name, read_rag_settings(environ={}, overrides={**changes, **deep, FALLBACK: NO_FALLBACK}))
        same = next((config.name for config in configs if config.settings == added.settings), None)
        if same is None:
            configs.append(added)
        else:
            aliases[name] = same
    return tuple(configs), aliases


def _config(name: str, entry: ConfigEntry, folder: Path, environ: Mapping[str, str]) -> Config:
    settings = read_rag_settings(config_source(entry.config, folder), environ=environ, overrides=entry.settings)
    default = read_rag_settings(environ={}).routing.fallback
    if FALLBACK not in entry.settings and settings.routing.fallback == default:
        settings = _without_fallback(settings)
    return Config(name, settings)


def _without_fallback(settings: RagSettings) -> RagSettings:
    """The settings without a fallback: another model's answer would be judged as this one's."""
    return settings.model_copy(update={"routing": settings.routing.model_copy(update={"fallback": NO_FALLBACK})})


def _in_batches(settings: RagSettings) -> RagSettings:
    """The settings with batches wherever the model's provider takes them; the others stay as they are."""
    if not takes_batches(settings.generation.model):
        return settings
    generation = settings.generation.model_copy(update={"batch": True})
    contextual = settings.chunking.chunker == "contextual"
    chunking = settings.chunking.model_copy(update={"batch": contextual})
    return settings.model_copy(update={"generation": generation, "chunking": chunking})


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
