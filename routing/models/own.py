"""Models of one's own under a name "provider/name", by hand or from a package that is installed.

A package offers its models in the entry-point group "plumbline.models": the entry point's name is the provider's, and
it points to what `own_provider` returns. It is imported when a name of that provider is looked up, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

from plumbline.errors import ConfigError
from routing.errors import UnknownModelError
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.providers import ModelName, ModelOptions, Provider, unknown

if TYPE_CHECKING:
    from routing.cost.prices import Price

GROUP = "plumbline.models"
"""The entry points by which installed packages offer models."""

OwnKind = Literal["chat", "embedder", "reranker"]
Make = Callable[[ModelName, ModelOptions], Any]
"""Makes a model that was asked for by name; what it returns must fit the contract of its kind."""


@dataclass(frozen=True, slots=True)
class OwnModel:
    """One model of one's own.

    `name` is without the provider, and may be a pattern ("*"): `make` is told the name that was asked for. `price` is
    what the ledger reckons with; `None`: unknown. `facts` say what the model can do.
    """

    name: str
    kind: OwnKind
    make: Make
    price: Price | None = None
    facts: ModelFacts = UNKNOWN


@dataclass(frozen=True, slots=True)
class OwnProvider(Provider):
    """A provider that is made of models of one's own."""

    models: tuple[OwnModel, ...] = ()

    def find(self, name: str, kind: OwnKind) -> OwnModel | None:
        """The model `name`, without the provider, if there is one of that kind."""
        return next((own for own in self.models if own.kind == kind and fnmatchcase(name, own.name)), None)

    def price(self, name: str) -> Price | None:
        """What the model `name` costs, whatever its kind; `None`: unknown."""
        return next((own.price for own in self.models if fnmatchcase(name, own.name)), None)


def own_provider(name: str, models: Iterable[OwnModel]) -> OwnProvider:
    """The provider `name` with these models; the first whose name or pattern fits counts."""
    by_kind: dict[OwnKind, tuple[OwnModel, ...]] = {}
    every = tuple(models)
    for own in every:
        by_kind[own.kind] = (*by_kind.get(own.kind, ()), own)
    makes = {kind: partial(_make, of_kind) for kind, of_kind in by_kind.items()}
    return OwnProvider(
        name,
        chat=makes.get("chat"),
        embedder=makes.get("embedder"),
        reranker=makes.get("reranker"),
        check_chat=_check(by_kind.get("chat", ())),
        check_embedder=_check(by_kind.get("embedder", ())),
        check_reranker=_check(by_kind.get("reranker", ())),
        example=f"{name}/{every[0].name}" if every else "",
        models=every,
    )


@lru_cache(maxsize=32)
def installed_provider(name: str) -> Provider | None:
    """The provider `name` of an installed package, `None` when no package offers one.

    Raises `ConfigError` when the package cannot be imported, or offers something else.
    """
    from importlib.metadata import entry_points

    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        return None
    packages = sorted({entry.dist.name for entry in found if entry.dist is not None})
    where = f"The entry point '{name}' in the group {GROUP} of {' and '.join(packages) or 'an installed package'}"
    if len(packages) > 1:
        raise ConfigError(f"{where} is offered twice.", hint="Uninstall one of the packages.")
    try:
        provider = found[0].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where} cannot be loaded: {error}.", hint="Repair or uninstall the package.") from error
    if not isinstance(provider, Provider) or provider.name != name:
        raise ConfigError(f"{where} is not the provider '{name}'.", hint="It must point to what own_provider returns.")
    return provider


def _make(models: tuple[OwnModel, ...], model: ModelName, options: ModelOptions) -> Any:
    made = _find(models, model).make(model, options)
    if made.name != model.full:
        raise UnknownModelError(
            f"What was made for '{model.full}' calls itself '{made.name}'.",
            model=model.full,
            hint="Prices and the ledger go by the name: let it be the one it is registered by.",
        )
    return made


def _find(models: tuple[OwnModel, ...], model: ModelName) -> OwnModel:
    found = next((own for own in models if fnmatchcase(model.name, own.name)), None)
    if found is None:
        raise unknown(model, f"There is no model '{model.full}'.", [own.name for own in models])
    return found


def _check(models: tuple[OwnModel, ...]) -> Callable[[ModelName], None]:
    def check(model: ModelName) -> None:
        _find(models, model)

    return check
