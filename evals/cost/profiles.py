"""Profiles of simulated providers, from `evals/cost/profiles.yaml`."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from evals.cost.prefix import PrefixRule
from plumbline.errors import ConfigError
from plumbline.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Profile(Settings):
    """How a simulated provider behaves; `profiles.yaml` says what each number means.

    `right` and `refuses` are assumptions about quality: whatever is made of them must be called assumed.
    """

    model: str
    first_token_seconds: Positive
    tokens_per_second: Positive
    spread: Annotated[float, Field(ge=0)]
    output_tokens: Positive
    right: Share
    refuses: Share
    prefix: PrefixRule
    source: str


@cache
def profiles() -> dict[str, Profile]:
    """The shipped profiles by name."""
    import yaml

    text = files("evals.cost").joinpath("profiles.yaml").read_text(encoding="utf-8")
    return {name: Profile.model_validate(entry) for name, entry in yaml.safe_load(text)["profiles"].items()}


def profile(name: str) -> Profile:
    """The profile called `name`; raises `ConfigError` that suggests the nearest."""
    known = profiles()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else None
        raise ConfigError(
            f"There is no simulated provider '{name}' (known: {', '.join(known)}).", value=name, hint=hint
        )
    return known[name]
