"""Whether the labelled page was retrieved or cited. A page is (document, one-based number); several may be right."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from plumbline.errors import InputError

Page = tuple[str, int | None]
"""The name of a document and the page in it; a page of `None`, of a format without pages, equals no labelled page."""


def page_hit(found: Sequence[Page], labelled: Collection[Page], k: int | None = None) -> bool | None:
    """Whether any of the first `k` pages found (of all for `None`) is a labelled one; `None` without labelled pages."""
    if k is not None and k < 1:
        raise InputError(f"k counts places and must be at least 1; {k} was given.")
    if not labelled:
        return None
    return any(page in labelled for page in found[:k])


def page_accuracy(found: Sequence[Page], labelled: Collection[Page]) -> bool | None:
    """Whether the first page found is a labelled one; `None` without labelled pages."""
    return page_hit(found, labelled, 1)
