"""The extra `eval`, asked for before anything is: an answer that cannot be scored was paid for in vain."""

from __future__ import annotations

from plumbline.extras import require


def require_extra() -> None:
    """Raise `MissingExtraError` when a package of the extra is not installed."""
    for module in ("scipy", "matplotlib", "jinja2"):
        require(module, "eval")
