import json
from pathlib import Path

import pytest

from rag.errors import DamagedFileError
from rag.ingest.load.captions import read_captions
from rag.ingest.load.markup import read_rst, read_tex
from rag.ingest.load.notebook import read_notebook

HERE = Path("a")


def test_rst_ranks_follow_the_order_of_their_underlines():
    head = "=====\nTitle\n=====\n\n:date: 2024-05-06\n\n"
    text = f"{head}One\n---\n\ntext\n\nDeep\n^^^^\n\ntext ::\n\n  ====  ===\n\nTwo\n---\n"
    found = read_rst(text.encode(), HERE)
    assert found.text == text
    assert [section.path for section in found.sections] == [
        ("Title",),
        ("Title", "One"),
        ("Title", "One", "Deep"),
        ("Title", "Two"),
    ]
    assert found.sections[0].start == 0
    assert (found.title, found.created) == ("Title", "2024-05-06")


def test_a_rule_between_paragraphs_is_no_heading():
    assert read_rst(b"text\n\n----\n\nmore text\n", HERE).sections == ()


def test_tex_sections():
    title = "\\title{On {\\em refunds}}\n"
    text = title + "\\section{Policy}\n\\label{s}\n\\subsection*{Food \\& drink}\nNone.\n\\section[x]{End}\n"
    found = read_tex(text.encode(), HERE)
    assert [section.path for section in found.sections] == [("Policy",), ("Policy", "Food \\& drink"), ("End",)]
    assert found.title == "On refunds"


def test_notebooks_are_one_text_with_headings_and_output():
    cells = [
        {"cell_type": "markdown", "source": "# Policy\n\nText."},
        {
            "cell_type": "code",
            "source": ["# no heading\n", "print(30)"],
            "outputs": [
                {"output_type": "stream", "text": "30\n"},
                {"output_type": "execute_result", "data": {"text/plain": ["31"], "image/png": "x"}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no"},
            ],
        },
    ]
    found = read_notebook(json.dumps({"cells": cells, "metadata": {}}).encode(), HERE)
    assert found.text == (
        "# Policy\n\nText.\n\n```\n# no heading\nprint(30)\n```\n\n```output\n30\n```\n\n```output\n31\n```\n\n"
        "```output\nValueError: no\n```"
    )
    assert [section.path for section in found.sections] == [("Policy",)]


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"cells": 1}'])
def test_what_is_no_notebook(data: bytes):
    with pytest.raises(DamagedFileError, match="notebook"):
        read_notebook(data, HERE)


def test_captions_keep_their_time_and_speaker():
    text = "WEBVTT\n\nNOTE no\n\n1\n01:02.000 --> 01:04.000 align:start\n<v Ann>Refunds <b>take</b>\nthirty days.\n"
    assert read_captions(text.encode(), HERE).text == "[00:01:02] Ann: Refunds take thirty days."
