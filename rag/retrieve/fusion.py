"""The fusion that a configuration names: how what both sides of a store found becomes one ranking.

What each does is in `rag.retrieve.fuse`; docs/fusion.md says how they compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plumbline.errors import ConfigError
from rag.index.store import Found, Ranking, Search
from rag.retrieve.feedback import Feedback
from rag.retrieve.fuse import dbsf, default_dense_weight, filled, rrf, weighted
from rag.retrieve.learned import FEATURES_VERSION, FILE, FusionArtifact, LearnedFusion, load_artifact, neighbours
from rag.retrieve.settings import RetrievalSettings


class Fusion(Protocol):
    """Makes one ranking of two. `fuse` is pure: equal input gives equal output, and nothing is read or asked."""

    @property
    def name(self) -> str:
        """How `retrieval.fusion` names it."""
        ...

    @property
    def feedback(self) -> Feedback | None:
        """What is to be done to its rankings afterwards: what `retrieval.neighbours` says, or what was fitted."""
        ...

    def fuse(self, found: Found, search: Search) -> Ranking:
        """Every point of `found` once, best first; `search` is what was asked for (its `text` may be read)."""
        ...


@dataclass(frozen=True, slots=True)
class Weighted:
    """The convex combination of both sides' scores, each in standard deviations."""

    dense_weight: float
    name: str = "weighted"
    feedback: Feedback | None = None

    def fuse(self, found: Found, search: Search) -> Ranking:
        """See `Fusion`."""
        lexical = filled(found.dense, found.lexical) if search.complete else found.lexical
        return weighted(found.dense, lexical, self.dense_weight)


@dataclass(frozen=True, slots=True)
class ReciprocalRanks:
    """Reciprocal rank fusion, which reads no scores."""

    k: int
    name: str = "rrf"
    feedback: Feedback | None = None

    def fuse(self, found: Found, search: Search) -> Ranking:
        """See `Fusion`."""
        return rrf([found.dense, found.lexical], self.k)


@dataclass(frozen=True, slots=True)
class DistributionBased:
    """Distribution-based score fusion, both sides alike."""

    name: str = "dbsf"
    feedback: Feedback | None = None

    def fuse(self, found: Found, search: Search) -> Ranking:
        """See `Fusion`."""
        return dbsf([found.dense, found.lexical])


def build_fusion(settings: RetrievalSettings, embedder: str, scorer: str, folder: Path) -> Fusion:
    """The fusion that `settings.fusion` names.

    `embedder` is the embedder's name, `scorer` the store's `lexical_scorer`, `folder` the knowledge base's. Raises
    `ConfigError` for "learned" where nothing was fitted, or was fitted for another embedder, scorer or number of
    candidates, and `CorruptStateError` for a damaged file.
    """
    feedback = neighbours(settings.neighbours)
    if settings.fusion == "rrf":
        return ReciprocalRanks(settings.rrf_k, feedback=feedback)
    if settings.fusion == "dbsf":
        return DistributionBased(feedback=feedback)
    if settings.fusion == "learned":
        return LearnedFusion(_fitting(load_artifact(folder), settings, embedder, scorer, folder))
    chosen = settings.dense_weight
    return Weighted(default_dense_weight(embedder) if chosen is None else chosen, feedback=feedback)


def _fitting(
    artifact: FusionArtifact, settings: RetrievalSettings, embedder: str, scorer: str, folder: Path
) -> FusionArtifact:
    """The artifact, if it was fitted for what is used now."""
    for what, fitted, now in (
        ("the embedder", artifact.embedder, embedder),
        ("the lexical scorer", artifact.scorer, scorer),
        ("retrieval.candidates", artifact.candidates, settings.candidates),
        ("features of version", artifact.features, FEATURES_VERSION),
    ):
        if fitted != now:
            raise ConfigError(
                f"{folder / FILE} was fitted for {what} {fitted}, and {now} is used.",
                key="retrieval.fusion",
                value="learned",
                hint="Fit it again: rag fit fusion, or choose weighted.",
            )
    return artifact
