"""Small valid files of every format that is read: where mutations begin."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage
from functools import cache

import docx

from rag.ingest.load import SUPPORTED
from tests.rag.ingest.load import office_files, pdf_files
from tests.rag.ingest.load.msg_files import Attached, compound, msg

_WORDS = "Refunds take thirty days, naïve façade 退款 возврат. "
_HTML = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Policy</title>'
    '<meta name="date" content="2024-05-06"><style>p {color: red}</style></head><body><nav>Menu</nav><main>'
    f'<h1>Policy</h1><p>{_WORDS}&amp; &#8364; &#x1F600;</p><h2 id="a">Food</h2><table><tr><th>Item</th></tr><tr><td>'
    "Hats<br>Shoes</td></tr></table><ul><li>One</li><li>Two</li></ul><pre>a  b</pre><!-- c --><![CDATA[d]]>"
    '<script>var a = "</p>";</script><p hidden>no</p></main><footer>End</footer></body></html>'
)
_MARKDOWN = (
    f"---\ntitle: T\n---\n# Handbook\n\n{_WORDS}\n\nWindow\n------\n\n```py\n# no\n```\n\n| a | b |\n|---|---|\n"
)
_RST = f"Handbook\n========\n\n{_WORDS}\n\nWindow\n------\n\n.. code::\n\n   x = 1\n\n* item\n\n+---+\n| a |\n+---+\n"
_TEX = (
    f"\\documentclass{{a}}\\begin{{document}}\\section{{One}}{_WORDS} $x^2$ % c\n\\subsection*{{Two}}\\end{{document}}"
)
_CSV = 'item,days,note\nShoes,30,"a, ""b""\nc"\nHats,14,\n'
_JSON = {"name": "Shoes", "days": 30, "price": 19.5, "tags": ["a", None, True], "more": {"deep": [{"x": "é"}, {}]}}
_VTT = "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.500 align:start\n<v Ann>Refunds take <b>thirty</b> days.\n"
_SRT = "1\n00:00:01,000 --> 00:00:02,500\nRefunds take thirty days.\n\n2\n00:00:03,000 --> 00:00:04,000\nEnd.\n"
_RTF = (
    rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\b Head}\par Text with \'e9 \u8364? accent.\par {\*\x y}Second.}"
)
_CODE = """// A comment\nclass Shop(Base):\n    \"\"\"Text.\"\"\"\n    def sell(self, a="x"): { return a; }\n
function pay(a) { if (a) { return `x${a}`; } }\nfn main() -> i32 { 1 }\npublic static void run(int a) { /* c */ }
[section]\nkey = "value"\n<a b="c">text</a>\nfunc Go() error { return nil }\nmodule A where\nCREATE TABLE t (a INT);\n
resource "a" "b" { c = 1 }\nmessage M { string a = 1; }\n.rule { color: red; }\nsub x { my $a = qw(a b); }\n"""


@cache
def seeds() -> Mapping[str, tuple[bytes, ...]]:
    """Files by suffix, for every suffix that is read."""
    made = {suffix: tuple(make()) for suffix, make in _MAKERS.items()}
    aliases = {".htm": ".html", ".xhtml": ".html", ".markdown": ".md", ".text": ".txt", ".log": ".txt"}
    made |= {alias: made[suffix] for alias, suffix in aliases.items()} | {".ndjson": made[".jsonl"]}
    code = tuple(text.encode() for text in (_CODE, *_CODE.split("\n\n")))
    return {suffix: made.get(suffix, code) for suffix in SUPPORTED}


def _pdf() -> Iterator[bytes]:
    yield pdf_files.many_pages(3)
    made = pdf_files.new()
    made.set_title("Refunds")
    made.start_section("Policy")
    made.multi_cell(0, text="Refunds take thirty days. " * 20)
    pdf_files.rows(made, [("Item", "2023", "2024"), ("Shoes", "1,000", "2,000"), ("Hats", "30", "(40)")])
    made.add_page()
    made.start_section("Food", level=1)
    made.multi_cell(0, text="None.")
    yield pdf_files.out(made)
    yield pdf_files.simple(b"BT /F1 12 Tf 20 700 Td (Shown.) Tj 0 -14 Td [(A)-200(B)] TJ ET 10 10 m 90 10 l S")
    locked = pdf_files.new()
    locked.multi_cell(0, text="Refunds take thirty days.")
    locked.set_encryption(owner_password="owner", user_password="")
    yield pdf_files.out(locked)


def _word() -> Iterator[bytes]:
    made = docx.Document()
    made.core_properties.title = "Terms"
    made.add_heading("Policy", 1)
    made.add_paragraph(_WORDS)
    made.add_heading("Food", 2)
    made.add_paragraph("item", style="List Bullet")
    table = made.add_table(rows=2, cols=2)
    for row, cells in enumerate((("Item", "Days"), ("Shoes", "30"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    buffer = io.BytesIO()
    made.save(buffer)
    slim = io.BytesIO()  # without the template's thumbnail and styles, so that mutations meet the text
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(slim, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if "theme" not in name and "thumbnail" not in name and "styles" not in name:
                new.writestr(name, old.read(name))
    yield slim.getvalue()
    yield buffer.getvalue()


def _mail() -> Iterator[bytes]:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = "Your réfund", "Shop <shop@example.org>", "a@example.org, b@example.org"
    made["Date"] = "Mon, 01 Apr 2024 10:00:00 +0000"
    made.set_content(_WORDS)
    made.add_alternative(_HTML, subtype="html")
    yield made.as_bytes()
    made.add_attachment(_CSV.encode(), maintype="text", subtype="csv", filename="prices é.csv")
    inner = EmailMessage()
    inner["Subject"] = "Inner"
    inner.set_content("Inner text.")
    made.add_attachment(inner)
    made.add_attachment(office_files.epub(), maintype="application", subtype="epub+zip", filename="a.epub")
    yield made.as_bytes()
    yield b"Subject: =?koi8-r?B?8NLJ18XU?=\nContent-Type: text/plain; charset=koi8-r\n\n\xf0\xd2\xc9\xd7\xc5\xd4\n"


def _outlook() -> Iterator[bytes]:
    inner = msg("Inner", "Inner text.", [Attached("deep.txt", b"Deep text.")])
    parts = [Attached("report.csv", _CSV.encode()), Attached("Inner", inner), Attached("long.txt", b"Text. " * 1000)]
    yield compound(msg("Your refund", "Dear customer,\r\n\r\nit is paid.", parts))
    yield compound(msg("News", "", html=b"<h1>Kopf</h1><p>Der Text.</p>"))


def _zip() -> Iterator[bytes]:
    inner = office_files.pack({"deep.md": _MARKDOWN})
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("a/b.html", _HTML)
            archive.writestr("prices é.csv", _CSV)
            archive.writestr("inner.zip", inner)
            archive.writestr("mail.eml", next(_mail()))
        yield buffer.getvalue()


def _text() -> Iterator[bytes]:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        yield (_WORDS * 3).encode(encoding)
    yield ("Возврат за тридцать дней. " * 9).encode("cp1251")
    yield ("返品は三十日以内にお願いします。" * 9).encode("shift-jis")
    yield b"Caf\xe9 na\xefve, thirty days.\r\nEnd.\r"


def _notebook() -> Iterator[bytes]:
    cells = [
        {"cell_type": "markdown", "source": ["# Refunds\n", "Text."], "metadata": {}},
        {"cell_type": "code", "source": "x = 1", "outputs": [{"output_type": "stream", "text": ["1\n"]}]},
        {"cell_type": "code", "source": [], "outputs": [{"data": {"text/plain": "2"}, "output_type": "display_data"}]},
    ]
    yield json.dumps({"cells": cells, "metadata": {"kernelspec": {"language": "python"}}, "nbformat": 4}).encode()


def _just(*texts: str) -> Callable[[], Iterator[bytes]]:
    return lambda: (text.encode() for text in texts)


_MAKERS: Mapping[str, Callable[[], Iterator[bytes]]] = {
    ".pdf": _pdf,
    ".docx": _word,
    ".pptx": lambda: iter([office_files.pack(office_files.pptx_parts())]),
    ".xlsx": lambda: iter([office_files.xlsx({"A": [["Item", "Days"], ["Shoes", 30]]}, "D9", "2024-05-06")]),
    ".odt": lambda: iter([office_files.odt("2024-01-02")]),
    ".ods": lambda: iter([office_files.ods()]),
    ".epub": lambda: iter([office_files.epub("2024-01-02")]),
    ".rtf": lambda: iter([_RTF]),
    ".html": _just(_HTML, "<p>Just a paragraph."),
    ".md": _just(_MARKDOWN),
    ".rst": _just(_RST),
    ".tex": _just(_TEX),
    ".txt": _text,
    ".csv": _just(_CSV, _CSV.replace(",", ";")),
    ".tsv": _just(_CSV.replace(",", "\t")),
    ".json": _just(json.dumps(_JSON), json.dumps([_JSON, _JSON], ensure_ascii=False, indent=1)),
    ".jsonl": _just(f"{json.dumps(_JSON)}\n[1, 2]\nbroken\n{json.dumps(_JSON)}\n"),
    ".ipynb": _notebook,
    ".vtt": _just(_VTT),
    ".srt": _just(_SRT),
    ".eml": _mail,
    ".msg": _outlook,
    ".zip": _zip,
}
