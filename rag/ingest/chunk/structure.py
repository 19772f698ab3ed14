"""The structure chunker: a section is a chunk when it fits; small neighbours share one, large ones are cut at the
seams of their blocks.

Tables and code are cut only when they exceed the budget by themselves: between rows, between definitions, between
lines. A heading stays with what it heads. What a chunk out of the middle of a table lacks, the table's first row, is
put into its context.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from plumbline.text.graphemes import not_space, trimmed_end
from plumbline.text.tokens import DEFAULT_TOKENIZER, TokenIndex, Tokenizer
from rag.ingest.chunk import Span, chunks_from
from rag.ingest.chunk.blocks import Block, blocks, header
from rag.ingest.chunk.budget import Budget, off_the_loop
from rag.ingest.chunk.cutter import Cutter
from rag.ingest.chunk.outline import Node, outline
from rag.ingest.chunk.recursive import Places
from rag.types import Chunk, Document

_SMALL = 0.25
"""Of the budget: a piece of a larger section that is smaller than this joins its neighbour."""
_BLOCK_FILL = 0.5
"""How much of the budget the end of a block must leave filled to be preferred to the end of a sentence behind it."""

_NOT_CODE = frozenset({"text/x-rst", "text/x-tex"})
_DEFINITION = re.compile(r"\n[ \t]*\n(?=\S)")
_BLANK = re.compile(r"\n[ \t]*\n")


class StructureChunker:
    """Chunks of at most `size` tokens along headings, tables and code.

    Only where a paragraph is cut does the next chunk begin with up to `overlap` tokens of it. `tokenizer` is a name
    (see `plumbline.text.tokens`) or a `Tokenizer`. Raises `InputError` for a budget that cannot work, `ConfigError`
    for an unknown tokenizer.
    """

    def __init__(self, *, size: int = 512, overlap: int = 50, tokenizer: str | Tokenizer = DEFAULT_TOKENIZER) -> None:
        self._budget = Budget(size, overlap, tokenizer)

    @property
    def name(self) -> str:
        """Such as "structure 512/50 cl100k_base"."""
        return f"structure {self._budget}"

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`; a long one is cut in a worker thread."""
        return await off_the_loop(self.split, document)

    def split(self, document: Document) -> list[Chunk]:
        """As `chunk`, in the calling thread."""
        sections = _Sections(document, self._budget.index(document.text), self._budget)
        spans = sections.spans()
        return chunks_from(document, spans, headers=sections.headers(start for start, _, _ in spans))


def structure_spans(document: Document, tokens: TokenIndex, budget: Budget) -> list[Span]:
    """The spans that the structure chunker makes of `document`, whose tokens are `tokens`."""
    return _Sections(document, tokens, budget).spans()


class _Sections:
    """One document's sections on their way into chunks."""

    def __init__(self, document: Document, tokens: TokenIndex, budget: Budget) -> None:
        self._document = document
        self._text = document.text
        self._tokens = tokens
        self._budget = budget
        self._code = document.media_type.startswith("text/x-") and document.media_type not in _NOT_CODE
        self._tables: list[Block] = []
        self._lead: int | None = None  # where headings begin that wait for what they head

    def spans(self) -> list[Span]:
        """The spans of the chunks, in order."""
        root = outline(self._document)
        found = self._cut(root)
        if self._lead is not None:  # headings end the document
            found = self._merged([*found, *self._pieces(self._lead, self._lead, root.end)])
        return [(start, end, count) for start, end, count, _ in found]

    def headers(self, starts: Iterable[int]) -> dict[int, str]:
        """The first row of its table for each of `starts` that stands behind the first row of one."""
        found = {}
        begins = [table.start for table in self._tables]
        for start in starts:
            index = bisect_right(begins, start) - 1
            table = self._tables[index] if index >= 0 else None
            if table and self._text.find("\n", table.start) < start < table.end:
                found[start] = header(self._text, table)
        return found

    def _cut(self, node: Node) -> list[_Piece]:
        """The pieces of `node`, with the headings that wait before it; those at its end wait for the next."""
        start = node.start if self._lead is None else self._lead
        self._lead = None
        tail = node.tail(self._text)
        if tail <= node.start:
            self._lead = start
            return []
        whole = self._piece(start, tail, whole=True)
        if whole is None or whole[2] <= self._budget.size:
            self._lead = tail if tail < node.end else None
            return [whole] if whole else []
        behind = node.children[0].start if node.children else node.end
        found = []
        if self._text[node.body : behind].strip():
            found = self._pieces(start, node.body, behind)
        elif node.body > node.start:
            self._lead = start
        for child in node.children:
            found += self._cut(child)
        return self._merged(found)

    def _pieces(self, start: int, body: int, end: int) -> list[_Piece]:
        """text[start:end] cut at the seams of its blocks; text[start:body] are headings."""
        whole = self._piece(start, end, whole=True)
        if whole is None or whole[2] <= self._budget.size:
            return [whole] if whole else []
        found = blocks(self._text, body, end, code=self._code)
        self._tables += [block for block in found if block.kind == "table"]
        seams = _Seams(self._tokens, self._budget, found, body)
        cutter = Cutter(self._tokens, self._budget.size, seams.boundary, seams.begin)
        return [(*span, False) for span in cutter.spans(start, end)]

    def _piece(self, start: int, end: int, *, whole: bool) -> _Piece | None:
        start = not_space(self._text, start)
        end = trimmed_end(self._text, start, end)
        return (start, end, self._tokens.count(start, end), whole) if start < end else None

    def _merged(self, pieces: Sequence[_Piece]) -> list[_Piece]:
        """Neighbours that fit joined: whole sections, and what is too small to stand alone."""
        found: list[_Piece] = []
        for piece in pieces:
            if found:
                last = found[-1]
                both = last[3] and piece[3]
                if both or min(last[2], piece[2]) < _SMALL * self._budget.size:
                    joint = self._piece(last[0], piece[1], whole=both)
                    if joint and joint[2] <= self._budget.size:
                        found[-1] = joint
                        continue
            found.append(piece)
        return found


_Piece = tuple[int, int, int, bool]
"""(start, end, tokens, whether it holds whole sections only)."""


class _Seams:
    """Where to cut text without headings, and where to begin again."""

    def __init__(self, tokens: TokenIndex, budget: Budget, found: Sequence[Block], body: int) -> None:
        self._text = tokens.text
        self._tokens = tokens
        self._size = budget.size
        self._blocks = found
        self._starts = [block.start for block in found]
        self._body = body
        self._prose = Places(tokens, (), budget.overlap)
        self._kept: dict[int, bool] = {}

    def boundary(self, start: int, covered: int, limit: int) -> int:
        """A `Boundary`: between two blocks, else inside one where its kind allows."""
        floor = max(covered, self._body)
        index = bisect_right(self._starts, limit) - 1
        if index < 0 or limit <= floor:
            return 0
        block = self._blocks[index]
        if block.end <= limit:
            return block.end if block.end > floor else 0
        before = self._blocks[index - 1].end if index else 0
        kept = block.kind != "prose" and self._fits(index)
        if before > floor and (kept or before >= start + _BLOCK_FILL * (limit - start)):
            return before
        inside = self._inside(block, start, floor, limit)
        return next((place for place in (inside, before) if place > floor), 0)

    def begin(self, start: int, cut: int, following: int) -> int:
        """A `Begin`: an overlap only inside a paragraph."""
        index = bisect_right(self._starts, cut) - 1
        block = self._blocks[max(index, 0)]
        if block.kind != "prose" or not block.start < cut < block.end:
            return following
        return max(self._prose.begin(start, cut, following), block.start)

    def _fits(self, index: int) -> bool:
        """Whether a block fits into a chunk of its own: counted once, as a long one is cut at many places."""
        if index not in self._kept:
            block = self._blocks[index]
            self._kept[index] = self._tokens.count(block.start, block.end) <= self._size
        return self._kept[index]

    def _inside(self, block: Block, start: int, floor: int, limit: int) -> int:
        """A place inside `block`, 0 if there is none."""
        if block.kind == "prose":
            return self._prose.boundary(start, floor, limit)
        if block.kind == "code":
            half = max(floor, start + (limit - start) // 2)
            for seam in (_DEFINITION, _BLANK):
                places = [match.start() for match in seam.finditer(self._text, half, limit + 2)]
                if places and floor < places[-1] <= limit:
                    return trimmed_end(self._text, floor, places[-1])
        return trimmed_end(self._text, floor, max(self._text.rfind("\n", floor, limit + 1), floor))
