"""Self-contained HTML pages: a template of `evals/report/templates/`, with everything it needs inside."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from plumbline.extras import require


def render(template_name: str, **values: Any) -> str:
    """The page; values are escaped, except those wrapped in `markupsafe.Markup`."""
    jinja2 = require("jinja2", "eval")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page: str = environment.get_template(template_name).render(**values)
    return page


def _source(name: str) -> str:
    return files("evals.report").joinpath("templates", name).read_text(encoding="utf-8")
