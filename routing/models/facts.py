"""What is known about hosted models, from `configs/models.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts about one model; `None` is unknown.

    `context` counts the tokens of prompt and answer together (of an embedder: of one text), `max_output` those of an
    answer. `temperature` says whether the model takes one. `dimensions` is the length of an embedder's vectors, and
    `shortens` says whether it can give shorter ones. `by_search` says that a reranker bills searches, not tokens.
    """

    context: int | None = None
    max_output: int | None = None
    temperature: bool | None = None
    dimensions: int | None = None
    shortens: bool = False
    by_search: bool = False


UNKNOWN = ModelFacts()


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """The models of one provider: `families` are patterns that every chat model's name matches one of.

    `chat`, `embedders` and `rerankers` map patterns to facts, the first match counts; `known` are names of chat models
    to suggest.
    """

    families: tuple[str, ...]
    chat: Mapping[str, ModelFacts]
    embedders: Mapping[str, ModelFacts]
    rerankers: Mapping[str, ModelFacts]
    known: tuple[str, ...]

    def of_chat(self, name: str) -> ModelFacts:
        """Facts about the chat model `name`."""
        return _first(self.chat, name)

    def of_embedder(self, name: str) -> ModelFacts:
        """Facts about the embedder `name`."""
        return _first(self.embedders, name)

    def of_reranker(self, name: str) -> ModelFacts | None:
        """Facts about the reranker `name`, `None` when there is none of that name."""
        return next((facts for pattern, facts in self.rerankers.items() if fnmatchcase(name, pattern)), None)

    def has_family(self, name: str) -> bool:
        """Whether `name` looks like one of the provider's chat models."""
        return any(fnmatchcase(name, family) for family in self.families)


@cache
def provider_facts(provider: str) -> ProviderFacts:
    """The facts about the models of `provider`; raises `KeyError` when the file has none."""
    import yaml

    entry = yaml.safe_load(files("configs").joinpath("models.yaml").read_text(encoding="utf-8"))[provider]
    return ProviderFacts(
        families=tuple(entry.get("families", ())),
        chat=_facts(entry.get("models", ())),
        embedders=_facts(entry.get("embedders", ())),
        rerankers=_facts(entry.get("rerankers", ())),
        known=tuple(entry.get("known", ())),
    )


def _facts(entries: Sequence[Mapping[str, Any]]) -> dict[str, ModelFacts]:
    return {
        entry["match"]: ModelFacts(**{key: value for key, value in entry.items() if key != "match"})
        for entry in entries
    }


def _first(table: Mapping[str, ModelFacts], name: str) -> ModelFacts:
    return next((facts for pattern, facts in table.items() if fnmatchcase(name, pattern)), UNKNOWN)
