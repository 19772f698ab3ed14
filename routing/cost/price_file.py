"""Reads prices: the shipped table, a file of the same form, and what the user's configuration says.

A file is a list of tables, as providers' price pages are: one provider, one tier, a date and a source each. Whatever is
wrong in one is a `ConfigError` that names the file, the line, the model, the key and the nearest right one.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from plumbline.errors import ConfigError
from routing.chat import Tier
from routing.cost.price_yaml import Places, read_yaml
from routing.cost.prices import Price, PriceTable

if TYPE_CHECKING:
    from routing.settings import RoutingSettings

RATES = (
    "input",
    "output",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "searches",
    "requests",
    "images",
    "gpu_hour",
)
_MOST = 1_000_000  # dollars: nothing costs so much, and sums beyond it lose their last digits
_CHARGES = ("input", "searches", "requests", "gpu_hour")
_TABLE = ("provider", "tier", "above", "date", "source", "models")
_FILE = ("date", "tables")


@lru_cache(maxsize=1)
def shipped_prices() -> PriceTable:
    """The table in `configs/prices.yaml`; raises `ConfigError` when an entry in it cannot be read."""
    return read_prices(files("configs").joinpath("prices.yaml").read_text(encoding="utf-8"), "prices.yaml")


def price_table(settings: RoutingSettings) -> PriceTable:
    """What a configuration counts by: the shipped prices, the user's file over them, the user's own over both."""
    table = shipped_prices()
    if settings.price_file is not None:
        table = table.with_prices(read_price_file(settings.price_file).prices)
    entries = {name: price.model_dump(exclude_none=True) for name, price in settings.prices.items()}
    own = {name: parse_price(name, entry, f"routing.prices.{name}") for name, entry in entries.items()}
    return table.with_prices(own)


def read_price_file(path: str | Path) -> PriceTable:
    """The prices in a YAML file of the form of `configs/prices.yaml`; raises `ConfigError`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The price file {path} cannot be read: {error}.", source=str(path), key="routing.price_file"
        ) from error
    return read_prices(text, str(path))


def read_prices(text: str, name: str) -> PriceTable:
    """The prices in the YAML `text`, which errors call `name`."""
    found, places = read_yaml(text, name)
    content = _mapping(found, name, _FILE)
    tables = content.get("tables")
    if not isinstance(tables, list) or not tables:
        raise ConfigError(f"{name}: 'tables' is no list of tables of prices.", source=name, key="tables")
    prices: dict[str, Price] = {}
    for number, table in enumerate(tables, 1):
        _add_table(prices, table, number, places)
    return PriceTable(prices, None if content.get("date") is None else str(content["date"]))


def parse_price(model: str, entry: Mapping[str, Any], place: str | None = None) -> Price:
    """A price from a mapping of decimal numbers, with `tiers` and `long_context` of the same form in it.

    Raises `ConfigError` naming the place, the model, the key and the value. What is charged by the search, the request
    or the second alone needs no `input`.
    """
    nested = {key: entry[key] for key in ("tiers", "long_context") if entry.get(key) is not None}
    price = _rates(model, {key: entry[key] for key in entry if key not in {"tiers", "long_context"}}, place)
    if "long_context" in nested:
        price = _with_long(model, price, nested["long_context"], place)
    tiers = {}
    for tier, rates in (_is_mapping(model, "tiers", nested.get("tiers", {}), place)).items():
        name = _tier(tier, f"{_said(place)}price of {model}", place)
        tiers[name] = _as_long(price, parse_price(model, _is_mapping(model, f"tiers.{tier}", rates, place), place))
    return replace(price, tiers=tiers) if tiers else price


def _rates(model: str, entry: Mapping[str, Any], place: str | None) -> Price:
    numbers: dict[str, Any] = {key: _number(model, key, value, place) for key, value in entry.items()}
    if not any(key in numbers for key in _CHARGES):
        raise ConfigError(f"{_said(place)}price of {model}: 'input' is missing.", source=place, key="input")
    return Price(**{"input": Decimal(0), **numbers})


def _number(model: str, key: str, value: object, place: str | None) -> Decimal:
    what = f"{_said(place)}price of {model}: "
    if key not in RATES:
        raise ConfigError(
            f"{what}there is no key '{key}' (known: {', '.join(RATES)}).",
            source=place,
            key=key,
            value=value,
            hint=nearest(str(key), RATES),
        )
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise ConfigError(f"{what}{key}: {value!r} is not a number.", source=place, key=key, value=value) from error
    if not number.is_finite() or not 0 <= number <= _MOST:
        raise ConfigError(f"{what}{key}: {value!r} is not a price.", source=place, key=key, value=value)
    return number


def _with_long(model: str, price: Price, entry: object, place: str | None) -> Price:
    rates = dict(_is_mapping(model, "long_context", entry, place))
    above = rates.pop("above", None)
    if isinstance(above, bool) or not isinstance(above, int) or above < 1:
        raise ConfigError(
            f"{_said(place)}price of {model}: long_context.above: {above!r} is no number of tokens.",
            source=place,
            key="above",
            value=above,
        )
    return replace(price, long_above=above, long_context=_rates(model, rates, place))


def _add_table(prices: dict[str, Price], table: object, number: int, places: Places) -> None:
    """Put what a table says to what is known: a price, or how it is in another tier, or when the prompt is long."""
    place = f"{places.of(number)}: table {number}"
    entries = _mapping(table, place, _TABLE)
    provider, models = entries.get("provider"), entries.get("models")
    if not isinstance(provider, str) or not isinstance(models, dict):
        missing = "models" if isinstance(provider, str) else "provider"
        raise ConfigError(f"{place}: '{missing}' is missing.", source=place, key=missing)
    tier = _tier(entries.get("tier", "standard"), place, place)
    source = ", ".join(str(entries[key]) for key in ("source", "date") if key in entries) or None
    above = {} if entries.get("above") is None else {"above": entries["above"]}
    for name, entry in models.items():
        place = f"{places.of(number, name)}: table {number} ({provider}, {tier})"
        model = f"{provider}/{name}"
        rates = {**above, **_is_mapping(model, "", entry, place)}
        standard = prices.get(model)
        if standard is None and (tier != "standard" or "above" in rates):
            raise ConfigError(
                f"{place}: {model} has no standard price before this one.",
                source=place,
                key=model,
                hint=nearest(model, list(prices)),
            )
        prices[model] = _placed(model, standard, tier, rates, place, source)


def _placed(
    model: str, standard: Price | None, tier: Tier, rates: dict[str, Any], place: str, source: str | None
) -> Price:
    known = None if standard is None else (standard if tier == "standard" else standard.tiers.get(tier))
    if "above" in rates:
        if known is None or known.long_context is not None:
            why = "has no price for shorter ones before this one" if known is None else "has two"
            raise ConfigError(f"{place}: {model}: the price of long prompts {why}.", source=place, key=model)
        price = _with_long(model, known, rates, place)
    elif known is not None:
        raise ConfigError(f"{place}: {model} has a price already.", source=place, key=model)
    else:
        price = replace(_rates(model, rates, place), source=source)
        price = price if standard is None else _as_long(standard, price)
    return price if standard is None or tier == "standard" else replace(standard, tiers={**standard.tiers, tier: price})


def _as_long(standard: Price, tier: Price) -> Price:
    """Where long prompts cost something else, what they cost in a tier that says nothing of them is not known."""
    return replace(tier, long_above=standard.long_above) if tier.long_above is None else tier


def _tier(value: object, what: str, place: str | None) -> Tier:
    for tier in get_args(Tier):
        if value == tier:
            return tier  # type: ignore[no-any-return]  # get_args loses what it is
    raise ConfigError(
        f"{what}: there is no tier '{value}' (known: {', '.join(get_args(Tier))}).",
        source=place,
        key="tier",
        value=value,
        hint=nearest(str(value), get_args(Tier)),
    )


def _mapping(value: object, place: str, known: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: this is no mapping of {', '.join(known)}.", source=place)
    for key in value:
        if key not in known:
            raise ConfigError(
                f"{place}: there is no key '{key}' (known: {', '.join(known)}).",
                source=place,
                key=str(key),
                value=value[key],
                hint=nearest(str(key), known),
            )
    return value


def _is_mapping(model: str, key: str, value: object, place: str | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        where = f"{key}: " if key else ""
        raise ConfigError(
            f"{_said(place)}price of {model}: {where}{value!r} is no mapping of prices.",
            source=place,
            key=key or model,
            value=value,
        )
    return value


def nearest(word: str, known: Sequence[str]) -> str | None:
    """A hint at the one of `known` that was meant, if any looks like it."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean '{near[0]}'?" if near else None


def _said(place: str | None) -> str:
    return f"{place}: " if place else ""
