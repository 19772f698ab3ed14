"""The rules policy: the first rule that fits a request names the models that are to answer it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fnmatch import fnmatchcase

from routing.chat import ChatRequest
from routing.errors import ContextLengthError, ModelError, UnknownModelError, UnsupportedError
from routing.policy import Considered, Plan
from routing.policy.fitting import P50, Candidate, Misfit, Needs, misfit, unseen
from routing.resilience.fallback import Reason
from routing.settings import RuleSettings

Predict = Callable[[str], tuple[Decimal | None, Decimal | None]]
"""What an answer of a model would cost at most, and as a rule; `None` is unknown."""


class RulesPolicy:
    """Decides by rules, all models by their full names.

    A request that names its model gets that one. Otherwise the first of `rules` that fits decides, and without one
    `default` answers. `fallback`, if there is one, comes last in every plan. Models that are known not to do what is
    asked are left out. A prompt that is too long for the first model goes the way that `by_reason` has for it.
    `candidates` are all models that may be asked. `p50` tells how fast models were seen to be.

    A request that wants to stay local never leaves: neither by a rule nor by a fallback.
    """

    def __init__(
        self,
        rules: Sequence[RuleSettings],
        candidates: Iterable[Candidate],
        *,
        default: str,
        fallback: str | None = None,
        by_reason: Mapping[Reason, Sequence[str]] | None = None,
        p50: P50 = unseen,
    ) -> None:
        self._rules = tuple(rules)
        self._candidates = {candidate.name: candidate for candidate in candidates}
        self._default = default
        self._fallback = fallback
        self._by_reason = dict(by_reason or {})
        self._p50 = p50

    def plan(self, request: ChatRequest) -> Plan:
        """Who answers; raises `UnknownModelError` for a model wanted by name that is not among the candidates.

        Raises `UnsupportedError` or `ContextLengthError` when no model that would be asked can answer or may.
        """
        needs = Needs(request)
        return self._planned(needs, self._misfits(needs))

    def explained(self, request: ChatRequest, predict: Predict) -> Plan:
        """As `plan`, with every candidate, why it is not eligible, and what its answer would cost."""
        needs = Needs(request)
        misfits = self._misfits(needs)
        considered = tuple(
            Considered(name, name not in misfits, misfits[name].says if name in misfits else None, *predict(name))
            for name in self._candidates
        )
        return replace(self._planned(needs, misfits), considered=considered)

    def chains(self, plan: Plan) -> dict[Reason, tuple[str, ...]]:
        """Who is asked when the first model of `plan` fails for a reason that has a chain of its own.

        Where that has nobody to offer, the rest of the plan is asked.
        """
        first, *rest = plan.models
        own = {reason: plan.allowed(names) for reason, names in self._by_reason.items()}
        return {reason: tuple(name for name in names if name != first) or tuple(rest) for reason, names in own.items()}

    def _misfits(self, needs: Needs) -> dict[str, Misfit]:
        found = {}
        for name, candidate in self._candidates.items():
            reason = misfit(candidate, needs, self._p50)
            if reason is not None:
                found[name] = reason
        return found

    def _planned(self, needs: Needs, misfits: Mapping[str, Misfit]) -> Plan:
        if needs.wants.model is not None:
            return self._as_wanted(needs.wants.model, misfits)
        rule = next((rule for rule in self._rules if fits(rule, needs)), None)
        chosen = (self._default,) if rule is None else tuple(rule.use)
        reason = "configured" if rule is None else f"rule '{rule.name}'"
        first = misfits.get(chosen[0])
        if first is not None and first.kind == "length" and "too_long" in self._by_reason:
            chosen = tuple(self._by_reason["too_long"])
            reason += ", too long"
        chain = tuple(dict.fromkeys([*chosen, *self._last()]))
        models = tuple(name for name in chain if name not in misfits)
        if not models:  # a wish for speed bars nobody when there is nobody faster
            models = tuple(name for name in chain if misfits[name].kind == "latency")
        if not models:
            raise _nobody(chain, misfits)
        return Plan(models, reason, None if rule is None else rule.name, self._barred(misfits, models))

    def check_wanted(self, name: str) -> None:
        """Raise `UnknownModelError` for a model that no request can ask for by name."""
        if name not in self._candidates:
            near = difflib.get_close_matches(name, self._candidates, n=1)
            raise UnknownModelError(
                f"'{name}' is not among the models that may answer.",
                model=name,
                hint=f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(self._candidates)}.",
            )

    def _as_wanted(self, wanted: str, misfits: Mapping[str, Misfit]) -> Plan:
        self.check_wanted(wanted)
        found = misfits.get(wanted)
        if found is not None and found.kind in ("place", "ability"):
            raise _nobody([wanted], misfits)
        models = (wanted, *(name for name in self._last() if name != wanted and name not in misfits))
        return Plan(models, "asked for by name", barred=self._barred(misfits, models))

    def _last(self) -> tuple[str, ...]:
        return () if self._fallback is None else (self._fallback,)

    def _barred(self, misfits: Mapping[str, Misfit], models: Sequence[str]) -> dict[str, str]:
        return {name: found.says for name, found in misfits.items() if name not in models and found.kind != "latency"}


def fits(rule: RuleSettings, needs: Needs) -> bool:
    """Whether a request satisfies all that a rule says; what is cheap to know is looked at first.

    A pattern fits nothing that is not there: `tenant: "*"` is any tenant, and not none.
    """
    wants, tags = needs.wants, needs.request.tags
    return (
        (rule.latency is None or rule.latency == wants.latency)
        and (rule.local is None or rule.local == wants.local)
        and _matches(rule.task, wants.task)
        and _matches(rule.purpose, tags.purpose)
        and _matches(rule.tenant, tags.tenant)
        and (rule.images is None or rule.images == needs.images)
        and (rule.longer_than is None or needs.tokens > rule.longer_than)
        and (rule.shorter_than is None or needs.tokens < rule.shorter_than)
        and (rule.language is None or _matches(rule.language, needs.language))
    )


def _matches(pattern: str | None, value: str | None) -> bool:
    return pattern is None or (value is not None and fnmatchcase(value, pattern))


def _nobody(chain: Sequence[str], misfits: Mapping[str, Misfit]) -> ModelError:
    reasons = "; ".join(f"{name}: {misfits[name].says}" for name in chain)
    kinds = {misfits[name].kind for name in chain}
    if kinds == {"length"}:
        return ContextLengthError(
            f"The prompt is too long for every model that may answer ({reasons}).",
            model=chain[0],
            hint="Answer from fewer or shorter passages, or name a model with a larger context.",
        )
    hint = (
        "Name a model of this machine or network in a rule or as routing.fallback, e.g. extractive/default."
        if "place" in kinds
        else "Ask for less, or name a model that can in a rule or as routing.fallback."
    )
    return UnsupportedError(f"No model may answer this request ({reasons}).", model=chain[0], hint=hint)
