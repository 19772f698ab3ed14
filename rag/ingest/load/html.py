"""Web pages: the text a reader sees, with its headings; navigation, banners, footers and scripts left out.

Written on the standard library's tolerant parser so that each heading's offset is known the moment it is added.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from rag.ingest.load.rows import table
from rag.ingest.load.text import decode, iso_date
from rag.ingest.structure import Extracted, TextBuilder


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_UNREAD = _names("script style noscript template svg math iframe object select button audio video canvas")
_BOILERPLATE = frozenset(["nav", "footer"])
# Left out around the main content, kept inside it: an article's own header holds its title.
_AROUND_MAIN = frozenset(["header", "aside"])
_MAIN = frozenset(["main", "article"])
_BOILERPLATE_ROLES = frozenset(["navigation", "banner", "contentinfo", "search", "complementary", "dialog"])
_BLOCKS = _names(
    "address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure footer form "
    "header hr html legend li main nav ol p pre section summary ul"
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_MAIN_TAG = re.compile(r"<(?:main|article)[\s>]", re.IGNORECASE)
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_DATES = frozenset(["date", "dcterms.date", "dc.date", "article:published_time", "pubdate"])
_SPACES = re.compile(r"\s+")

_Attributes = dict[str, str]


def read_html(data: bytes, path: Path) -> Extracted:
    """An HTML or XHTML page, with its `title`, `lang` and the date among its meta tags where it has them."""
    declared = _CHARSET.search(data[:4096])
    markup, dropped = decode(data, path, declared.group(1).decode("ascii") if declared else None)
    extracted = _read(_Page(has_main=_MAIN_TAG.search(markup) is not None), markup, dropped)
    if not extracted.text:  # all of it marked as boilerplate, or a menu never closed: better too much than nothing
        extracted = _read(_Page(has_main=False, keep_all=True), markup, dropped)
    return extracted


def _read(page: _Page, markup: str, dropped: int) -> Extracted:
    """What `page` makes of `markup`. Behind the last ">" no tag can end: looking for one takes the parser forever."""
    tail = markup.rfind(">") + 1
    page.feed(markup[:tail])
    page.feed(markup[tail:].replace("<", "&lt;"))
    page.close()
    return page.extracted(dropped)


@dataclass(slots=True)
class _Table:
    """A table being read; `layout` once it turns out to arrange a page rather than figures."""

    rows: list[list[str]] = field(default_factory=list)
    cell: bool = False
    layout: bool = False


class _Page(HTMLParser):
    """Collects inline text until a block ends, then hands it to the builder."""

    def __init__(self, *, has_main: bool, keep_all: bool = False) -> None:
        super().__init__(convert_charrefs=True)
        self._builder = TextBuilder()
        self._has_main = has_main
        self._keep_all = keep_all
        self._meta: dict[str, str] = {}
        self._inline: list[str] = []
        self._in_item = False
        self._skipping: list[str] = []
        self._main_depth = 0
        self._pre_depth = 0
        self._tables: list[_Table] = []

    def extracted(self, dropped: int) -> Extracted:
        """What was read, once the page is closed."""
        while self._tables:
            self._end_table()
        self._flush()
        text, _, sections = self._builder.build()
        return Extracted(
            text,
            sections=sections,
            title=self._meta.get("title"),
            language=self._meta.get("language"),
            created=iso_date(self._meta.get("date")) or iso_date(self._meta.get("time")),
            dropped=dropped + self._builder.dropped,
        )

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """Conditional comments and the like; the base class fails on those it does not know."""
        end = self.rawdata.find("]]>" if self.rawdata.startswith("<![CDATA[", i) else ">", i)
        return -1 if end < 0 else self.rawdata.index(">", end) + 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipping and not (tag in _MAIN and self._skipping[0] not in _UNREAD):
            if tag == self._skipping[0]:
                self._skipping.append(tag)
            return
        self._skipping.clear()  # a menu that was never closed ends where the main content begins
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID and self._is_skipped(tag, given):
            self._flush_block()
            self._skipping.append(tag)
        elif tag == "html" and given.get("lang"):
            self._meta.setdefault("language", given["lang"].split("-")[0].lower())
        elif tag == "meta":
            self._note_meta(given)
        elif tag == "time" and given.get("datetime"):
            self._meta.setdefault("time", given["datetime"])
        elif tag == "title":
            self._inline.clear()
        else:
            self._start_visible(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag == self._skipping[0]:
                self._skipping.pop()
        elif tag == "title":
            self._meta.setdefault("title", " ".join("".join(self._inline).split()))
            self._inline.clear()
        elif tag in _HEADINGS:
            self._builder.heading(_HEADINGS[tag], "".join(self._inline))
            self._inline.clear()
        elif tag == "table":
            self._end_table()
        elif tag in ("td", "th", "tr"):
            self._end_cell()
        elif tag in _BLOCKS:
            self._flush_block()
            self._in_item = self._in_item and tag != "li"
            self._main_depth -= tag in _MAIN
            self._pre_depth -= tag == "pre" and self._pre_depth > 0

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._inline.append(data if self._pre_depth else _SPACES.sub(" ", data))

    def _is_skipped(self, tag: str, given: _Attributes) -> bool:
        if tag in _UNREAD:
            return True
        if self._keep_all or tag in ("html", "body"):
            return False
        outside = self._has_main and self._main_depth <= 0
        return (
            tag in _BOILERPLATE
            or (outside and tag in _AROUND_MAIN)
            or given.get("role") in _BOILERPLATE_ROLES
            or "hidden" in given
            or given.get("aria-hidden") == "true"
            or _INVISIBLE.search(given.get("style", "")) is not None
        )

    def _start_visible(self, tag: str) -> None:
        if tag == "br":
            self._inline.append("\n")
        elif tag in _HEADINGS:
            self._arrange()
            self._flush()
        elif tag == "table":
            self._arrange()
            self._flush()
            self._tables.append(_Table())
        elif tag == "tr" and self._tables:
            self._end_cell()
            self._tables[-1].rows.append([])
        elif tag in ("td", "th") and self._tables:
            self._start_cell()
        elif tag in _BLOCKS:
            self._flush_block()
            self._main_depth += tag in _MAIN
            self._pre_depth += tag == "pre"
            self._in_item = self._in_item or tag == "li"

    def _note_meta(self, given: _Attributes) -> None:
        if (given.get("name") or given.get("property") or "").lower() in _DATES:
            self._meta.setdefault("date", given.get("content", ""))

    def _start_cell(self) -> None:
        current = self._tables[-1]
        self._end_cell()
        if current.layout:
            return
        if not current.rows:
            current.rows.append([])
        self._inline.clear()
        current.cell = True

    def _end_cell(self) -> None:
        if not self._tables:
            return
        current = self._tables[-1]
        if current.layout:
            self._flush()
        elif current.cell:
            current.rows[-1].append(" ".join("".join(self._inline).split()))
            self._inline.clear()
            current.cell = False

    def _arrange(self) -> None:
        """A heading or a table inside a cell: the table around it arranges the page, its cells are blocks."""
        if self._tables and not self._tables[-1].layout:
            current = self._tables[-1]
            inline, self._inline = self._inline, []
            self._builder.block(table(current.rows))
            current.rows.clear()
            current.layout, current.cell = True, False
            self._inline = inline

    def _end_table(self) -> None:
        if not self._tables:
            return
        self._end_cell()
        self._builder.block(table(self._tables.pop().rows))

    def _flush_block(self) -> None:
        """A block ends; inside a cell of a real table it is only a space."""
        if self._tables and self._tables[-1].cell:
            self._inline.append(" ")
        else:
            self._flush()

    def _flush(self) -> None:
        text = "".join(self._inline)
        self._inline.clear()
        if not self._pre_depth:
            text = "\n".join(line for raw in text.split("\n") if (line := " ".join(raw.split())))
        if not text.strip():
            return
        if self._in_item:
            self._builder.item(text)
        else:
            self._builder.block(text)
        self._in_item = False
