"""Writes a report: cost.json, cost.csv (one row per query and configuration), cost.png and cost.html."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.cost import show
from evals.cost.output import CostOutput
from evals.cost.plot import cost_quality
from evals.cost.row import Row
from evals.report.figures import as_svg, write_png
from evals.report.page import render
from plumbline.database import storage_errors

COLUMNS = (
    *("config", "model", "query", "group", "at", "repeat_of", "paraphrase_of", "question", "answer", "refused"),
    *("correct", "reason", "cost", "full_price", "input_tokens", "cached_input_tokens", "cache_write_tokens"),
    *("output_tokens", "estimated", "cache", "seconds", "failed_tries", "degraded", "error", "trace_id"),
)


def write_report(result: CostOutput, rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write the files into `folder` and return their paths; raises `StorageError`, `MissingExtraError`.

    There is no picture when nothing can be drawn.
    """
    written = [folder / "cost.json", folder / "cost.csv"]
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        written[0].write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
        written[1].write_text(as_csv(rows), encoding="utf-8", newline="")
    return written + write_pictures(result, folder)


def write_pictures(result: CostOutput, folder: Path) -> list[Path]:
    """Write cost.png and cost.html; raises `MissingExtraError` without the extra `eval`."""
    figure = cost_quality(result)
    page, png = folder / "cost.html", folder / "cost.png"
    with storage_errors(folder):
        page.write_text(
            render(
                "cost.html",
                result=result,
                show=show,
                figure=None if figure is None else as_svg(figure),
                level=next((config.correct.level for config in result.configs if config.correct), 0.95),
                simulated=any(config.simulated for config in result.configs),
            ),
            encoding="utf-8",
        )
        if figure is None:
            png.unlink(missing_ok=True)  # of an earlier run
            return [page]
        write_png(figure, png)
    return [page, png]


def as_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV, the seconds and dollars of each stage last; an unknown price is an empty cell."""
    stages = list(dict.fromkeys(name for row in rows for name in row.stages))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"{what}_{name}" for name in stages for what in ("seconds", "cost"))])
    for row in rows:
        writer.writerow([*(_cell(getattr(row, name)) for name in COLUMNS), *_stage_cells(row, stages)])
    return text.getvalue()


def _stage_cells(row: Row, stages: Sequence[str]) -> list[Any]:
    cells: list[Any] = []
    for name in stages:
        stage = row.stages.get(name)
        cells += ["", ""] if stage is None else [_cell(stage.seconds), _cell(stage.cost)]
    return cells


def _cell(value: Any) -> Any:
    """A cell: a spreadsheet must not take a question or an answer for a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return value
