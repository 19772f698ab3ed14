"""Finds, before anything runs, the rules and chains that cannot be meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from plumbline.errors import ConfigError, PlumblineError
from routing.settings import RuleSettings

Check = Callable[[str], None]
Leaves = Callable[[str], str | None]
"""Where a model, as configured, sends what it is asked; `None`: it stays."""

_PATTERNS = ("task", "purpose", "tenant", "language")
_EQUAL = ("latency", "local", "images")


def check_rules(rules: Sequence[RuleSettings], check_model: Check, leaves: Leaves) -> None:
    """Raise `ConfigError`, which names the rule, for one that names a model that cannot be or that can never decide."""
    for number, rule in enumerate(rules):
        _check_models(f"rule '{rule.name}': use", rule.use, check_model)
        if rule.longer_than is not None and rule.shorter_than is not None and rule.shorter_than - rule.longer_than < 2:
            raise _never(
                rule,
                f"no prompt has more than {rule.longer_than} tokens and fewer than {rule.shorter_than}",
                f"Make shorter_than at least {rule.longer_than + 2}.",
            )
        if rule.local:
            _check_local(rule, leaves)
        for earlier in rules[:number]:
            if earlier.name == rule.name:
                raise ConfigError(f"There are two rules '{rule.name}'.", value=rule.name, hint="Rename one of them.")
            if _covers(earlier, rule):
                raise _never(
                    rule,
                    f"the rule '{earlier.name}' before it fits all that it fits",
                    f"Put it before '{earlier.name}', or take it out.",
                )


def check_chains(chains: Mapping[str, Sequence[str]], check_model: Check) -> None:
    """Raise `ConfigError`, which names the reason, for a chain with a model that cannot be, or with one twice."""
    for reason, names in chains.items():
        if not names:
            raise ConfigError(f"{reason}: nobody is named.", hint="Name a model, or take the line out.")
        _check_models(reason, names, check_model)


def _check_models(where: str, names: Sequence[str], check_model: Check) -> None:
    for name in names:
        try:
            check_model(name)
        except PlumblineError as error:
            raise ConfigError(f"{where}: {error.message}", value=name, hint=error.hint) from error
        if names.count(name) > 1:
            raise ConfigError(
                f"{where}: '{name}' is named twice, and a chain that goes round would not end.",
                value=name,
                hint="Name each model once.",
            )


def _check_local(rule: RuleSettings, leaves: Leaves) -> None:
    for name in rule.use:
        where = leaves(name)
        if where is not None:
            raise ConfigError(
                f"rule '{rule.name}': use: '{name}' can never answer what may not leave the machine: {where}.",
                value=name,
                hint="Name a model of this process or a server at localhost or a private address.",
            )


def _covers(earlier: RuleSettings, later: RuleSettings) -> bool:
    """Whether `earlier` fits every request that `later` fits, as far as patterns can be compared."""
    equal = all(getattr(earlier, key) in (None, getattr(later, key)) for key in _EQUAL)
    patterns = all(_pattern_covers(getattr(earlier, key), getattr(later, key)) for key in _PATTERNS)
    longer = earlier.longer_than is None or (later.longer_than is not None and earlier.longer_than <= later.longer_than)
    shorter = earlier.shorter_than is None or (
        later.shorter_than is not None and earlier.shorter_than >= later.shorter_than
    )
    return equal and patterns and longer and shorter


def _pattern_covers(earlier: str | None, later: str | None) -> bool:
    if earlier is None or earlier == later:
        return True
    if later is None:
        return False
    return earlier == "*" or (not set(later) & set("*?[") and fnmatchcase(later, earlier))


def _never(rule: RuleSettings, why: str, hint: str) -> ConfigError:
    return ConfigError(f"rule '{rule.name}': it can never decide: {why}.", value=rule.name, hint=hint)
