"""Texts that have tripped chunkers, for `rag.testing.chunker`."""

from __future__ import annotations

from dataclasses import replace

from rag.ingest.structure import Heading, sections_from
from rag.types import Document, Page, Section

MARKDOWN_TABLE = "| item | price |\n|---|---|\n" + "".join(f"| part {n} | {n * 7} |\n" for n in range(200)) + "\n"
"""A table of 200 rows under a header, with a blank line behind it."""


def sample_documents() -> list[Document]:
    """Documents that have tripped chunkers: nothing at all, no spaces, many scripts, tables, pages, nested headings."""
    prose = "The refund window is thirty days. Dr. Meyer signs on p. 4, after that it closes!  Is it open? Yes. "
    rows = "".join(f"Item {n} | {n * 7} | ${n}.50\n" for n in range(1, 400))
    texts = {
        "empty": "",
        "white space": " \n\t \u00a0\n\n",
        "one letter": "x",
        "one sentence": "  Refunds take thirty days.  ",
        "prose": (prose * 3 + "\n\n") * 40,
        "one paragraph": prose * 120,
        "wrapped lines": "".join(f"line {n} of a text that was wrapped\nby a machine. " for n in range(400)),
        "table": rows,
        "no spaces": "abcdefghij" * 2000,
        "long words": ("y" * 900 + " ") * 20 + "end",
        "blank lines": "\n" * 500 + "a" + "\n" * 500 + "b" + "\r\n" * 50 + "c",
        "Chinese": "退款期限为三十天，请保留收据。如有问题，请联系客服！" * 300,
        "Thai": "นโยบายการคืนเงินภายในสามสิบวัน" * 200,
        "emoji": "👩‍👩‍👧‍👦👍🏽🇩🇪🇫🇷 " * 200 + "👩‍👩‍👧‍👦" * 200,
        "Arabic": "مدة الاسترداد ثلاثون يوما. هل يشمل ذلك السلع التالفة؟ نعم، يشملها؛ " * 120,
        "Japanese": "返品は30日以内です。「本当ですか?」はい!レシートを保管してください。コーヒーはちょっと高いです。"
        * 120,
        "Korean": "환불 기간은 삼십 일입니다. 영수증을 보관해 주세요. " * 200,
        "Hindi": "वापसी की अवधि तीस दिन है। कृपया रसीद रखें। " * 150 + "क्षत्रिय" * 400,
        "one long word": "x" * 10_000,
        "a long word among others": prose + "z" * 10_000 + " " + prose,
        "one grapheme": "a" + "\u0301" * 3000,
        "right to left marks": "\u202bשלום\u202c עולם. " * 200,
        "source code": "\n\n".join(f"def f{n}(x):\n    y = x * {n}\n\n    return y + {n}" for n in range(120)),
        "Markdown": f"{prose}\n\n```python\n" + "x = 1\n\n" * 40 + f"```\n\n{prose}\n\n" + MARKDOWN_TABLE + prose,
        "tabs": "".join(f"{n}\tname {n}\t{n * 3}\t\n" for n in range(300)),
        "combining": "e\u0301a\u0308 " * 500 + "a" + "\u0301" * 700,
    }
    plain = [_document(name, text) for name, text in texts.items()]
    return [*plain, _handbook(prose), _bare_headings(), _deep(prose), _definitions()]


def _handbook(prose: str) -> Document:
    """A long preface, then five pages of three chapters with sections, some of them shorter than any chunk."""
    parts = [prose * 40 + "\n\n"]
    headings: list[Heading] = []
    pages: list[Page] = []
    length, page_start = len(parts[0]), 0
    for number in range(15):
        level = 1 if number % 5 == 0 else 2
        title = f"{'Chapter' if level == 1 else 'Section'} {number}"
        block = f"{title}\n\n{prose * (1 + number % 4 * 6)}\n\n"
        headings.append(Heading(level, title, length))
        parts.append(block)
        length += len(block)
        if number % 3 == 2:
            pages.append(Page(len(pages) + 1, page_start, length))
            page_start = length
    document = _document("handbook", "".join(parts))
    return replace(
        document, pages=tuple(pages), sections=sections_from(headings, length), metadata={"title": "The handbook"}
    )


def _bare_headings() -> Document:
    """Headings with nothing below them, at the start, in the middle, in a row and at the end, and empty pages."""
    headings: list[Heading] = []
    parts: list[str] = []
    for number in range(60):
        headings.append(Heading(1 + number % 3, f"Heading {number}", sum(map(len, parts))))
        parts.append(
            f"Heading {number}\n\n" + ("One sentence stands here. " * (number // 4) + "\n\n") * (number % 4 == 1)
        )
    text = "".join(parts)
    half = len(text) // 2
    pages = (Page(1, 0, 0), Page(2, 0, half), Page(3, half, half), Page(4, half, len(text)))
    return replace(_document("bare headings", text), pages=pages, sections=sections_from(headings, len(text)))


def _deep(prose: str) -> Document:
    """Twelve levels of sections, then a heading as long as a chapter."""
    headings: list[Heading] = []
    parts: list[str] = []
    for level in range(12):
        headings.append(Heading(level + 1, f"Level {level}", sum(map(len, parts))))
        parts.append(f"Level {level}\n{prose}\n")
    title = "A heading that does not end " * 60
    headings.append(Heading(1, title.strip(), sum(map(len, parts))))
    text = "".join([*parts, title, "\n", prose * 3])
    return replace(_document("deep", text), sections=sections_from(headings, len(text)))


def _definitions() -> Document:
    """Source code whose sections end before the next begins, with code of nobody's between, before and behind them."""
    text, sections = "import os\n\n", []
    for number in range(80):
        start = len(text)
        text += f"def f{number}(x):\n    return x + {number}\n"
        sections.append(Section((f"f{number}",), start, len(text)))
        text += f"\nVALUE_{number} = f{number}({number})\n\n" * (number % 3)
    return replace(_document("definitions", text), media_type="text/x-python", sections=tuple(sections))


def _document(name: str, text: str) -> Document:
    return Document(id=f"id of {name}", source=name, name=name, text=text, hash="", media_type="text/plain")
