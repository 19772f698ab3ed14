"""What is evaluated, as a suite file says it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from plumbline.settings import Settings

Format = Literal["jsonl", "squad"]


class ConfigEntry(Settings):
    """One configuration: `config` is a shipped one or a YAML file, `settings` maps dotted keys to values and wins."""

    config: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)


def config_source(config: str | None, folder: Path) -> str | Path | None:
    """What an entry's `config` names: a YAML file, relative to `folder`, or a shipped configuration."""
    own_file = config is not None and Path(config).suffix in {".yaml", ".yml"}
    return folder / config if config is not None and own_file else config


class DataSettings(Settings):
    """Where the labelled questions are; "squad" is SQuAD's and XQuAD's JSON, which brings its documents along."""

    path: str
    format: Format = "jsonl"


class GateSettings(Settings):
    """When `--gate` fails: the primary metric is worse than the baseline's by more than `margin`, beyond chance."""

    margin: Annotated[float, Field(ge=0)] = 0.0


DEFAULT_METRICS = ("correct", "refused_rightly", "recall@5", "citation_precision", "latency", "cost")


class EvalSettings(Settings):
    """A whole suite. Paths are relative to the suite's file.

    `corpus` is what is asked about (with "squad" data, the data's own paragraphs by default). The first of `configs`
    is the `baseline` unless another is named: a configuration, or one of the two that are always added, "bm25" and
    "extractive". `limit` takes the first so many questions, `concurrency` asks so many at a time. With `batch` every
    configuration whose model's provider takes batches is answered in them, at half the price and within a day.
    """

    name: str = "suite"
    data: DataSettings
    corpus: str | None = None
    configs: Annotated[dict[str, ConfigEntry], Field(min_length=1)]
    metrics: Annotated[tuple[str, ...], Field(min_length=1)] = DEFAULT_METRICS
    primary: str = "correct"
    baseline: str | None = None
    gate: GateSettings = GateSettings()
    seed: int = 0
    limit: Annotated[int, Field(ge=1)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    batch: bool = False

    @field_validator("data", mode="before")
    @classmethod
    def _a_path_will_do(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("configs", mode="before")
    @classmethod
    def _a_name_will_do(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: _entry(entry) for name, entry in value.items()}

    @model_validator(mode="after")
    def _fits_together(self) -> EvalSettings:
        if self.primary not in self.metrics:
            raise ValueError(f"primary: '{self.primary}' is not among the metrics {list(self.metrics)}")
        if self.corpus is None and self.data.format == "jsonl":
            raise ValueError("corpus: say which documents the questions are about")
        if self.baseline is not None and self.baseline not in (*self.configs, *BASELINES):
            known = ", ".join((*self.configs, *BASELINES))
            raise ValueError(f"baseline: there is no configuration '{self.baseline}' (there are: {known})")
        for name in BASELINES:
            if name in self.configs:
                raise ValueError(f"configs: '{name}' is always added; call yours something else")
        return self


BASELINES = {"bm25": {"retrieval.mode": "lexical"}, "extractive": {}}
"""What every suite is compared with, as changes to the default configuration: BM25 alone, and the default itself."""


def _entry(entry: Any) -> Any:
    """`name: openai`, `name: mine.yaml` and `name: {retrieval.top_n: 5}` are short for the long form."""
    if entry is None:
        return {}
    if isinstance(entry, str):
        return {"config": entry}
    if isinstance(entry, dict) and not set(entry) & set(ConfigEntry.model_fields):
        return {"settings": entry}
    return entry
