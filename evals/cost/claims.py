"""What the literature says that each lever saves, from `evals/cost/levers.yaml`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from plumbline.errors import ConfigError

PROMPT_CACHING = "prompt caching"


@dataclass(frozen=True, slots=True)
class Claim:
    """What the literature says a lever saves: from `low` to `high`, shares of what `of` says."""

    lever: str
    low: float
    high: float
    of: str
    sources: tuple[str, ...]


@cache
def claims() -> dict[str, Claim]:
    """What `evals/cost/levers.yaml` says, by lever."""
    import yaml

    text = files("evals.cost").joinpath("levers.yaml").read_text(encoding="utf-8")
    return {
        lever: Claim(lever, float(entry["claim"][0]), float(entry["claim"][1]), entry["of"], tuple(entry["sources"]))
        for lever, entry in yaml.safe_load(text)["levers"].items()
    }


def check_levers(named: Iterable[str]) -> None:
    """Raise `ConfigError` for a lever that is none, or that is not measured by a pair of configurations."""
    able = [lever for lever in claims() if lever != PROMPT_CACHING]
    for lever in named:
        if lever not in able:
            near = difflib.get_close_matches(lever, able, n=1)
            raise ConfigError(
                f"levers: there is no lever '{lever}' that two configurations measure (known: {', '.join(able)}).",
                key=f"levers.{lever}",
                hint=f"Did you mean '{near[0]}'?" if near else None,
            )
