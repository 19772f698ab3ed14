"""`rag eval chunking`: how much of what answers lies in the chunks retrieved, and how much else, in characters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.formats.chunking import load_chunking
from evals.run import OnRow
from evals.searching import SearchOutput, measure_search


def evaluate_chunking(
    folder: str | Path,
    *,
    top_k: int = 5,
    config: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
    on_row: OnRow | None = None,
) -> SearchOutput:
    """Retrieve `top_k` chunks for each question of `folder`, out of all its texts, and score them in characters.

    `config` and `settings` say how texts are cut and searched. Raises `InputError` for a folder that is not of the
    layout or a reference that is not in its text, `ConfigError`, `ModelError` of the embedder, `StateError`.
    """
    dataset, texts = load_chunking(Path(folder))
    return measure_search(
        dataset,
        texts,
        key=Path(folder),
        metrics=[f"char_{what}@{top_k}" for what in ("recall", "precision", "iou")],
        top_k=top_k,
        config=config,
        settings=settings,
        home=home,
        on_row=on_row,
    )
