"""Turns the names of models into models: "openai/gpt-…", "anthropic/claude-…", "vllm/NAME@http://host:port" and so on.

`DEFAULT_CATALOG` knows the providers of `routing.models.providers`, and those that installed packages offer
(`routing.models.own`); `with_provider` and `register_model` give a catalogue that knows one more.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from plumbline.errors import ConfigError
from routing.chat import ChatModel
from routing.errors import UnknownModelError
from routing.models.clients import Connections
from routing.models.facts import UNKNOWN, ModelFacts, chat_facts
from routing.models.own import Make, OwnKind, OwnModel, OwnProvider, installed_provider, own_provider
from routing.models.providers import ModelName, ModelOptions, Provider, builtin_providers
from routing.vectors import Embedder, Reranker

if TYPE_CHECKING:
    from routing.cost.prices import Price

Kind = Literal["chat models", "embedders", "rerankers"]
_NAME = re.compile(
    r"(?P<provider>[^/@\s]+)/(?P<name>[^\s].*?)(?:@(?P<address>[A-Za-z][A-Za-z0-9+.-]*://.*|chat|responses))?"
)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Providers by name. Immutable: to add a provider, use what `with_provider` returns.

    `installed` is asked for a provider that is not among `providers`. Models of one provider share `connections`, if
    there are some to share.
    """

    providers: Mapping[str, Provider]
    installed: Callable[[str], Provider | None] = lambda name: None
    connections: Connections | None = None

    def with_provider(self, provider: Provider) -> Catalog:
        """This catalogue and one provider more, in place of one of the same name."""
        return replace(self, providers={**self.providers, provider.name: provider})

    def connected(self) -> Catalog:
        """This catalogue, with the connections of one provider shared by all models that it makes from now on."""
        return replace(self, connections=Connections())

    def prices(self, names: Iterable[str]) -> dict[str, Price]:
        """What those among the models `names` cost that are somebody's own, and say so; for a `PriceTable`."""
        found: dict[str, Price] = {}
        for model in filter(None, map(parse_name, names)):
            provider = self._provider(model.provider)
            price = provider.price(model.name) if isinstance(provider, OwnProvider) else None
            if price is not None:
                found[model.full] = price
        return found

    def facts(self, name: str) -> ModelFacts:
        """What is known of the chat model `name`, somebody's own included."""
        model = parse_name(name)
        provider = None if model is None else self._provider(model.provider)
        if model is not None and isinstance(provider, OwnProvider):
            own = provider.find(model.name, "chat")
            return UNKNOWN if own is None else own.facts
        return UNKNOWN if model is None else chat_facts(model.full)

    def chat_model(
        self, name: str, *, environ: Mapping[str, str] | None = None, effort: str | None = None
    ) -> ChatModel:
        """The chat model called `name`; keys and addresses come from `environ`, by default the process's environment.

        Raises `UnknownModelError`, `MissingKeyError`, or `MissingExtraError` when the provider's package is missing.
        """
        model, provider = self._find(name, "chat models")
        assert provider.chat is not None  # _find has seen to it
        provider.check_chat(model)
        return provider.chat(model, self._options(environ, effort=effort))

    def embedder(
        self, name: str, *, dimensions: int | None = None, environ: Mapping[str, str] | None = None
    ) -> Embedder:
        """The embedder called `name`, with vectors of `dimensions` numbers (`None`: as many as the model gives).

        Raises as `chat_model` does.
        """
        model, provider = self._find(name, "embedders")
        assert provider.embedder is not None  # _find has seen to it
        provider.check_embedder(model)
        return provider.embedder(model, self._options(environ, dimensions=dimensions))

    def reranker(self, name: str, *, environ: Mapping[str, str] | None = None) -> Reranker:
        """The reranker called `name`; raises as `chat_model` does."""
        model, provider = self._find(name, "rerankers")
        assert provider.reranker is not None  # _find has seen to it
        provider.check_reranker(model)
        return provider.reranker(model, self._options(environ))

    def full_name(self, name: str) -> str:
        """What prices, ledger and traces know the model `name` by: "provider/name", without an address."""
        model = parse_name(name)
        return name if model is None else model.full

    def check_chat_model(self, name: str) -> None:
        """Raise `UnknownModelError` when `name` cannot be a chat model's; needs no key and imports nothing heavy."""
        model, provider = self._find(name, "chat models")
        provider.check_chat(model)

    def check_embedder(self, name: str) -> None:
        """Raise `UnknownModelError` when `name` cannot be an embedder's; needs no key and imports nothing heavy."""
        model, provider = self._find(name, "embedders")
        provider.check_embedder(model)

    def check_reranker(self, name: str) -> None:
        """Raise `UnknownModelError` when `name` cannot be a reranker's; needs no key and imports nothing heavy."""
        model, provider = self._find(name, "rerankers")
        provider.check_reranker(model)

    def _options(
        self, environ: Mapping[str, str] | None, *, effort: str | None = None, dimensions: int | None = None
    ) -> ModelOptions:
        return ModelOptions(os.environ if environ is None else environ, effort, dimensions, self.connections)

    def _provider(self, name: str) -> Provider | None:
        return self.providers.get(name) or self.installed(name)

    def _find(self, name: str, kind: Kind) -> tuple[ModelName, Provider]:
        able = {known: provider for known, provider in self.providers.items() if _makes(provider, kind)}
        model = parse_name(name)
        if model is None:
            raise UnknownModelError(
                f"'{name}' is not of the form provider/name.", model=name, hint=_nearest(name, able, kind)
            )
        provider = self._provider(model.provider)
        if provider is None:
            raise UnknownModelError(
                f"There is no provider '{model.provider}'.", model=name, hint=_nearest(name, able, kind)
            )
        if not _makes(provider, kind):
            raise UnknownModelError(
                f"'{model.provider}' has no {kind}.", model=name, hint=f"Those that have: {', '.join(able)}."
            )
        return model, provider


def register_model(
    name: str,
    make: Make,
    *,
    kind: OwnKind = "chat",
    price: Price | None = None,
    facts: ModelFacts = UNKNOWN,
    catalog: Catalog | None = None,
) -> Catalog:
    """`catalog` (`None`: the default one) and one model more, "provider/name", or "provider/*" for any name.

    `make` gets the name and the options (keys, effort, dimensions) and returns the model, which must call itself by
    that name. Nothing else changes: use the catalogue that is returned. Raises `ConfigError` for a name of another
    form, or of a provider that is not one's own.
    """
    catalog = DEFAULT_CATALOG if catalog is None else catalog
    model = parse_name(name)
    if model is None or model.address is not None:
        raise ConfigError(f"'{name}' is not of the form provider/name.", hint="Write, say, 'myco/large'.")
    known = catalog.providers.get(model.provider)
    if known is not None and not isinstance(known, OwnProvider):
        raise ConfigError(
            f"'{model.provider}' is a provider of Plumbline's; '{name}' cannot be added to it.",
            hint="Name a provider of your own, say 'myco/large'.",
        )
    before = () if known is None else known.models
    kept = [own for own in before if (own.name, own.kind) != (model.name, kind)]
    return catalog.with_provider(own_provider(model.provider, [OwnModel(model.name, kind, make, price, facts), *kept]))


def parse_name(name: str) -> ModelName | None:
    """`name` taken apart, or `None` when it is not of the form "provider/name" or "provider/name@address".

    Of OpenAI's models "chat" and "responses" are addresses, too: which of its two interfaces is asked.
    """
    match = _NAME.fullmatch(name.strip())
    return None if match is None else ModelName(match["provider"], match["name"], match["address"])


def chat_model(name: str, *, environ: Mapping[str, str] | None = None, effort: str | None = None) -> ChatModel:
    """The chat model called `name`, from `DEFAULT_CATALOG`."""
    return DEFAULT_CATALOG.chat_model(name, environ=environ, effort=effort)


def embedder(name: str, *, dimensions: int | None = None, environ: Mapping[str, str] | None = None) -> Embedder:
    """The embedder called `name`, from `DEFAULT_CATALOG`."""
    return DEFAULT_CATALOG.embedder(name, dimensions=dimensions, environ=environ)


def reranker(name: str, *, environ: Mapping[str, str] | None = None) -> Reranker:
    """The reranker called `name`, from `DEFAULT_CATALOG`."""
    return DEFAULT_CATALOG.reranker(name, environ=environ)


def _makes(provider: Provider, kind: Kind) -> bool:
    makers = {"chat models": provider.chat, "embedders": provider.embedder, "rerankers": provider.reranker}
    return makers[kind] is not None


def _check(provider: Provider, kind: Kind, model: ModelName) -> None:
    checks = {
        "chat models": provider.check_chat,
        "embedders": provider.check_embedder,
        "rerankers": provider.check_reranker,
    }
    checks[kind](model)


def _nearest(name: str, providers: Mapping[str, Provider], kind: Kind) -> str:
    """What was probably meant: a known provider, or the provider of a model named without one."""
    written, slash, rest = name.strip().partition("/")
    if slash and (near := difflib.get_close_matches(written, providers, n=1, cutoff=0.6)):
        return f"Did you mean '{near[0]}/{rest}'?"
    for provider in providers.values():
        try:
            _check(provider, kind, ModelName(provider.name, name.strip()))
        except UnknownModelError:
            continue
        if provider.name in ("openai", "anthropic", "cohere"):
            return f"Did you mean '{provider.name}/{name.strip()}'?"
    examples = (provider.examples.get(kind, provider.example) for provider in providers.values())
    return f"Examples: {', '.join(filter(None, examples))}."


DEFAULT_CATALOG = Catalog({provider.name: provider for provider in builtin_providers()}, installed_provider)
"""The providers that come with Plumbline, and those of installed packages."""
