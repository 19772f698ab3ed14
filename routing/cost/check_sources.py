"""Price tables of others, read into ours: those of genai-prices, of litellm, and files of our own form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from plumbline.errors import InputError
from plumbline.extras import require
from routing.cost.price_file import parse_price, read_price_file
from routing.cost.prices import PER_MILLION, PER_THOUSAND, PriceTable, undated

GENAI_PRICES = "genai-prices"
_GENAI = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "rerank_searches_kcount": "searches",
    "requests_kcount": "requests",
}
_GENAI_TIERS = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
}
_LITELLM = {
    "input_cost_per_token": ("input", PER_MILLION),
    "output_cost_per_token": ("output", PER_MILLION),
    "cache_read_input_token_cost": ("cached_input", PER_MILLION),
    "cache_creation_input_token_cost": ("cache_write", PER_MILLION),
    "cache_creation_input_token_cost_above_1hr": ("cache_write_1h", PER_MILLION),
    "output_cost_per_reasoning_token": ("reasoning", PER_MILLION),
    "input_cost_per_query": ("searches", PER_THOUSAND),
}
_LITELLM_KEY = re.compile(r"(?P<rate>.+?)(_above_(?P<above>\d+)k_tokens)?(_(?P<tier>batches|flex|priority))?$")


def read_source(source: str, models: Iterable[str]) -> tuple[str, PriceTable]:
    """The name of a source, and its prices of `models`: "genai-prices", or a file of litellm's or our own form.

    Raises `InputError`, `ConfigError` for a file that is not as it should be, `MissingExtraError`.
    """
    if source == GENAI_PRICES:
        version = require("genai_prices", "prices").__version__
        return f"{GENAI_PRICES} {version}", genai_prices(models)
    path = Path(source)
    if path.suffix in {".yaml", ".yml"}:
        return source, read_price_file(path)
    try:
        table = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise InputError(
            f"The prices in {source} cannot be read: {error.strerror}.",
            hint=f"Give the path of litellm's model_prices_and_context_window.json, or say {GENAI_PRICES}.",
        ) from error
    except ValueError as error:
        raise InputError(f"{source} is not JSON: {error}.") from error
    return source, litellm_prices(table, models, source)


def genai_prices(models: Iterable[str], at: datetime | None = None) -> PriceTable:
    """What the installed genai-prices charges for `models` at a time (now)."""
    providers = {provider.id: provider for provider in require("genai_prices.data", "prices").providers}
    at = at or datetime.now(UTC)
    prices = {}
    for model in models:
        provider, _, name = model.partition("/")
        if provider not in providers:
            continue
        info = next((each for each in providers[provider].models if each.is_match(name)), None)
        if info is not None and (entry := _genai_entry(info, at)):
            prices[model] = parse_price(model, entry, GENAI_PRICES)
    return PriceTable(prices)


def _genai_entry(info: Any, at: datetime) -> dict[str, Any]:
    entry = _genai_rates(info.get_prices(at))
    tiers: dict[str, Any] = {}
    for variant in info.price_variants or ():
        tier = _GENAI_TIERS.get(next(iter(variant.when.items())))
        active = variant.constraint is None or variant.constraint.active(at)
        rates = _genai_rates(variant.prices)
        if tier is not None and active and len(variant.when) == 1 and "input" in rates:  # some have a tier at no price
            tiers.setdefault(tier, rates)
    return {**entry, "tiers": tiers} if entry and tiers else entry


def _genai_rates(prices: Any) -> dict[str, Any]:
    """The rates of a price; those that depend on the prompt's length also as `long_context`."""
    rates: dict[str, Any] = {}
    long: dict[str, Any] = {}
    for theirs, ours in _GENAI.items():
        price = getattr(prices, theirs, None)
        if price is not None and hasattr(price, "tiers"):
            long |= {"above": price.tiers[0].start, ours: price.tiers[0].price}
            price = price.base
        if price is not None:
            rates[ours] = price
    return {**rates, "long_context": long} if long else rates


def litellm_prices(table: object, models: Iterable[str], source: str) -> PriceTable:
    """What a table of litellm's, read with exact numbers, charges for `models`; raises `InputError`."""
    if not isinstance(table, Mapping):
        raise InputError(f"{source} is not a table of litellm's: it is no object of models.")
    by_name: dict[str, Any] = {}
    for key in sorted(table):
        by_name[undated(key.rpartition("/")[2] if _is_plain(key) else key)] = table[key]
    prices = {}
    for model in models:
        name = model.partition("/")[2]
        found = next((table[key] for key in (name, model) if key in table), by_name.get(name))
        if isinstance(found, Mapping) and (entry := _litellm_entry(found, source, model)):
            prices[model] = parse_price(model, entry, source)
    return PriceTable(prices)


def _is_plain(key: str) -> bool:
    """Whether a name is the provider's own, and not that of a reseller or of a region."""
    return key.count("/") == 1 and key.partition("/")[0] in {"openai", "anthropic", "cohere"}


def _litellm_entry(row: Mapping[str, Any], source: str, model: str) -> dict[str, Any]:
    tables: dict[tuple[str, int | None], dict[str, Any]] = {}
    for key, value in row.items():
        match = _LITELLM_KEY.match(key)
        whole = key in _LITELLM
        rate = key if whole else match["rate"] if match else key
        if rate not in _LITELLM or value is None or match is None:
            continue
        ours, per = _LITELLM[rate]
        tier = "standard" if whole else {"batches": "batch"}.get(match["tier"], match["tier"] or "standard")
        above = None if whole or match["above"] is None else int(match["above"]) * 1000
        tables.setdefault((tier, above), {})[ours] = _number(value, key, model, source) * per
    return _entry(tables)


def _entry(tables: Mapping[tuple[str, int | None], dict[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {tier: dict(rates) for (tier, above), rates in tables.items() if above is None}
    for (tier, above), rates in sorted(tables.items(), key=lambda item: item[0][1] or 0, reverse=True):
        if above is not None and tier in entries:
            entries[tier]["long_context"] = {"above": above, **rates}
    standard: dict[str, Any] = entries.pop("standard", {})
    return {**standard, "tiers": entries} if standard and entries else standard


def _number(value: object, key: str, model: str, source: str) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise InputError(f"{source}: {model}: {key}: {value!r} is not a number.") from error
