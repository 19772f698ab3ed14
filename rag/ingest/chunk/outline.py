"""A document's sections as a tree, each with where its heading ends and its own text begins."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.types import Document, Section

_MAX_DEPTH = 40  # sections within sections; deeper ones are text of theirs
_MAX_LINES = 4
_MAX_CHARS = 400


@dataclass(slots=True)
class Node:
    """text[start:end] is a section with its subsections; `body` is the offset behind its heading."""

    start: int
    end: int
    body: int
    children: list[Node] = field(default_factory=list)

    def tail(self, text: str) -> int:
        """Where the headings begin that stand at the end with nothing below them; `end` if something does."""
        if self.children:
            return self.children[-1].tail(text)
        return self.end if text[self.body : self.end].strip() else self.start


def outline(document: Document) -> Node:
    """The whole document as a node without a heading; its children are the top sections, and what lies between them."""
    text = document.text
    root = Node(0, len(text), 0)
    open_ = [root]
    for section in document.sections:
        while len(open_) > 1 and section.start >= open_[-1].end:
            _close(open_.pop(), text)
        if len(open_) <= _MAX_DEPTH:
            parent = open_[-1]
            node = Node(section.start, min(section.end, parent.end), 0)
            node.body = min(heading_end(text, section), node.end)
            parent.children.append(node)
            open_.append(node)
    while open_:
        _close(open_.pop(), text)
    return root


def _close(node: Node, text: str) -> None:
    """Make text of the node's own that stands behind a child a child without a heading."""
    children, node.children = node.children, []
    for index, child in enumerate(children):
        node.children.append(child)
        end = children[index + 1].start if index + 1 < len(children) else node.end
        if text[child.end : end].strip():
            node.children.append(Node(child.end, end, child.end))


def heading_end(text: str, section: Section) -> int:
    """The end of the lines that hold the section's heading; a rule below it belongs to it."""
    title = _letters(section.path[-1])
    end = _line_end(text, section.start, section)
    for _ in range(_MAX_LINES):
        longer = _line_end(text, end + 1, section)
        if not title.startswith(_letters(text[section.start : min(longer, section.start + _MAX_CHARS)])):
            break
        end = longer
    below = _line_end(text, end + 1, section)
    rule = text[end + 1 : below].strip()
    return below if len(rule) > 1 and not rule.strip("=-~") else end


def _line_end(text: str, start: int, section: Section) -> int:
    newline = text.find("\n", start, section.end)
    return newline if newline >= 0 else section.end


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
