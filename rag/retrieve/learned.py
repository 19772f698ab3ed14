"""What `rag fit fusion` leaves in the folder of a knowledge base, `fusion.json`, and the fusion that follows it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plumbline.database import storage_errors
from plumbline.errors import ConfigError, CorruptStateError
from rag.index.store import Found, Ranking, Search
from rag.retrieve.feedback import Neighbours
from rag.retrieve.fuse import filled, one_after_the_other, weighted

FILE = "fusion.json"
FEATURES_VERSION = 2
"""Changes when a feature (`rag.retrieve.features`) comes to mean something else: weights are of one version."""

Way = Literal["learned", "weighted", "lexical", "dense"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
_AGAIN = "Fit it again: rag fit fusion."


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Comparison(_Stored):
    """On the held-out questions `way` has `difference` more of the metric than `against`; the true difference is at
    least `low`, but for an error of at most half of the certificate's `delta`."""

    way: Way
    against: Way
    difference: Finite
    low: Finite


class Certificate(_Stored):
    """What was shown on `questions` held-out questions, which nothing was fitted on.

    `use` is the first of learned and weighted that is certified, else the better half of the fitted questions. A way is
    certified when its mean there is no lower than either half's, and its true mean is, with an error of at most `delta`
    for both ways together, no more than `margin` below. `values` is each way's mean of `metric`.
    """

    use: Way
    certified: bool
    metric: str
    questions: int
    delta: Finite
    margin: Finite
    values: dict[Way, Finite]
    comparisons: tuple[Comparison, ...]


class Fitted(_Stored):
    """When and on what the weights were fitted; `cross_validated` is the metric over all folds of those questions."""

    at: str
    data: str
    data_hash: str
    questions: int
    cross_validated: Finite


class FusionArtifact(_Stored):
    """The file. `weights` are by feature (`rag.retrieve.features`), read in `candidates` of each side."""

    version: Literal[1] = 1
    features: int
    embedder: str
    scorer: str
    candidates: Annotated[int, Field(ge=1)]
    weights: dict[str, Finite]
    neighbours: Annotated[float, Field(ge=0, le=10)]
    dense_weight: Annotated[float, Field(ge=0, le=1)]
    fitted: Fitted
    certificate: Certificate

    def save(self, folder: Path) -> Path:
        """Write it into the folder of a knowledge base, whole or not at all; raises `StorageError`."""
        path = folder / FILE
        draft = folder / f".{FILE}.{os.getpid()}"
        with storage_errors(path):
            draft.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
            draft.replace(path)
        return path


def load_artifact(folder: Path) -> FusionArtifact:
    """What was fitted for the knowledge base in `folder`; raises `ConfigError` where nothing was, else
    `CorruptStateError` for a file that is not of this form."""
    path = folder / FILE
    try:
        return FusionArtifact.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(
            f"retrieval.fusion is learned, and nothing was fitted for the knowledge base in {folder}.",
            key="retrieval.fusion",
            value="learned",
            hint="Fit it on labelled questions with: rag fit fusion, or choose weighted.",
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CorruptStateError(
            f"{path} cannot be read: {place or 'the file'}: {first['msg']}.", hint=_AGAIN
        ) from error


@dataclass(frozen=True, slots=True)
class LearnedFusion:
    """The fusion of an artifact: the way its certificate says to use."""

    artifact: FusionArtifact
    name: str = "learned"

    @property
    def feedback(self) -> Neighbours | None:
        """What is fitted to be done afterwards, if that is used."""
        return neighbours(self.artifact.neighbours) if self.artifact.certificate.use == "learned" else None

    def fuse(self, found: Found, search: Search) -> Ranking:
        """See `Fusion`."""
        artifact = self.artifact
        if search.complete and artifact.certificate.use in ("learned", "weighted"):
            found = Found(found.dense, filled(found.dense, found.lexical))
        if artifact.certificate.use == "weighted":
            return weighted(found.dense, found.lexical, artifact.dense_weight)
        if artifact.certificate.use == "learned":
            return weighed(found, artifact.weights)
        halves = (found.lexical, found.dense)
        return one_after_the_other(*(halves if artifact.certificate.use == "lexical" else halves[::-1]))


def weighed(found: Found, weights: Mapping[str, float]) -> Ranking:
    """The ranking by the weighted sum of the features; `weights` are by name."""
    import numpy as np

    from rag.retrieve.features import NAMES, candidates, features

    scores = features(found) @ np.array([weights.get(name, 0.0) for name in NAMES])
    ids = candidates(found)
    return [(ids[row], float(scores[row])) for row in np.argsort(-scores, kind="stable").tolist()]


def neighbours(weight: float) -> Neighbours | None:
    """The feedback of this weight; `None` for 0."""
    return Neighbours(weight) if weight > 0 else None
