"""What is known about hosted models, from `configs/models.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

Api = Literal["chat", "responses"]
"""Where OpenAI's models answer: /v1/chat/completions or /v1/responses."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts about one model; `None` is unknown.

    `context` counts the tokens of prompt and answer together (of an embedder: of one text), `max_input` those that a
    prompt may have whatever its answer, `max_output` those of an answer; an image is at most `image_tokens` of them.
    `tokenizer` names the encoding of tiktoken's that the model reads.

    `images`, `tools`, `schema`, `logprobs`, `stop`, `temperature`, `top_p` and `seed` say whether the model takes them,
    `streams` whether its answers come in pieces. `efforts` are the words for how much it thinks, `default_effort` how
    much it does unless told; `sampling_at` is the one effort at which it takes `temperature`, `top_p` and `logprobs`.
    `api` says where the model answers, `tools_api` where it does with tools.

    `adaptive` says that an effort goes with asking the model to think as far as it finds useful (Anthropic's adaptive
    thinking): told nothing, it does not think.

    `dimensions` is the length of an embedder's vectors, and `shortens` says whether it can give shorter ones.
    `by_search` says that a reranker bills searches, not tokens.
    """

    context: int | None = None
    max_input: int | None = None
    max_output: int | None = None
    image_tokens: int | None = None
    tokenizer: str | None = None
    images: bool | None = None
    tools: bool | None = None
    schema: bool | None = None
    logprobs: bool | None = None
    stop: bool | None = None
    streams: bool | None = None
    temperature: bool | None = None
    top_p: bool | None = None
    seed: bool | None = None
    efforts: tuple[str, ...] | None = None
    default_effort: str | None = None
    sampling_at: str | None = None
    adaptive: bool = False
    api: Api = "chat"
    tools_api: Api | None = None
    dimensions: int | None = None
    shortens: bool = False
    by_search: bool = False

    def takes(self, option: Literal["temperature", "top_p", "logprobs"], effort: str | None) -> bool | None:
        """Whether the model takes `option` while it thinks with `effort` (`None`: its own); `None` is unknown."""
        known: bool | None = getattr(self, option)
        if known is None and self.sampling_at is not None:
            return (effort or self.default_effort) == self.sampling_at
        return known


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
        """Facts about the chat model `name`; one that was tuned ("ft:…") has those of the one it was made from."""
        return _first(self.chat, name.removeprefix("ft:"))

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


def known_names(provider: str) -> tuple[str, ...]:
    """Names of models that `provider` has, of every kind; none of a provider that nobody has written of."""
    try:
        facts = provider_facts(provider)
    except KeyError:
        return ()
    return (*facts.known, *(name for name in (*facts.embedders, *facts.rerankers) if "*" not in name))


def _facts(entries: Sequence[Mapping[str, Any]]) -> dict[str, ModelFacts]:
    return {entry["match"]: ModelFacts(**_values(entry)) for entry in entries}


def _values(entry: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: value for key, value in entry.items() if key != "match"}
    if values.get("efforts") is not None:
        values["efforts"] = tuple(values["efforts"])
    return values


def _first(table: Mapping[str, ModelFacts], name: str) -> ModelFacts:
    return next((facts for pattern, facts in table.items() if fnmatchcase(name, pattern)), UNKNOWN)


@lru_cache(maxsize=1024)  # also of providers of which nothing is known: the file is long
def chat_facts(model: str) -> ModelFacts:
    """The facts about the chat model "provider/name"; of a provider that nobody has written of, nothing is known."""
    provider, _, name = model.partition("/")
    try:
        return provider_facts(provider).of_chat(name)
    except KeyError:
        return UNKNOWN
