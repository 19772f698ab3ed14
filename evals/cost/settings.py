"""What is compared, as a suite file or the command line says it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from evals import settings as of_suites
from plumbline.settings import Settings


class ConfigEntry(of_suites.ConfigEntry):
    """One configuration of the comparison; `config` and `settings` as in any suite.

    `simulate` names a profile of a simulated provider, which then answers. `unpriced` allows calls of a real model
    whose price is unknown; they count nothing against the budget, and their cost is shown as unknown.
    """

    simulate: str | None = None
    unpriced: bool = False


class Pair(Settings):
    """Two configurations that differ in one lever alone: how much does `with` save against `without`?"""

    without: str
    with_: Annotated[str, Field(alias="with")]


class SuiteSettings(Settings):
    """A whole comparison.

    `docs` is what is asked about, `log` a question log; without `docs`, the sample corpus and its questions. Instead
    of a log, `questions` (a labelled data set) and `paraphrases` may be given, from which a workload is generated:
    `queries` of them, repeated by Zipf's law with the exponent `zipf`, a share of `paraphrased` in other words, and
    `per_minute` of them arriving in a minute. `budget` in dollars covers everything that real models cost. `levers`
    names for a lever (`evals/cost/levers.yaml`) the pair of configurations that measures it.
    """

    name: str = "cost per query"
    docs: str | None = None
    log: str | None = None
    questions: str | None = None
    paraphrases: str | None = None
    queries: Annotated[int, Field(ge=1)] | None = None
    zipf: Annotated[float, Field(ge=0, le=5)] = 0.7
    paraphrased: Annotated[float, Field(ge=0, le=1)] = 0.3
    per_minute: Annotated[float, Field(gt=0)] = 6.0
    seed: int = 0
    budget: Annotated[Decimal, Field(ge=0)] | None = None
    configs: dict[str, ConfigEntry] = Field(default_factory=dict)
    levers: dict[str, Pair] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> SuiteSettings:
        if self.log and (self.questions or self.paraphrases):
            raise ValueError("log: a log is replayed as it is; leave out questions and paraphrases")
        if self.docs and not (self.log or self.questions):
            raise ValueError("docs: say with log (or questions) what to ask about these documents")
        if not self.docs and (self.log or self.questions):
            raise ValueError("log: say with docs which documents the questions are about")
        return self


DEFAULT_QUERIES = 200
DEFAULT_CONFIGS: dict[str, ConfigEntry] = {
    "extractive": ConfigEntry(),
    "small": ConfigEntry(simulate="gpt-4.1-mini"),
    "large": ConfigEntry(simulate="gpt-4o"),
}
"""What is compared when nobody says: quoting without a model, and a small and a large model, both simulated."""
