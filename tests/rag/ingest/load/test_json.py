import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DamagedFileError
from rag.ingest.load.json import read_json, read_json_lines
from rag.ingest.structure import Extracted

HERE = Path("a.json")


def read(value: object) -> Extracted:
    return read_json(json.dumps(value, ensure_ascii=False).encode(), HERE)


def test_records_read_by_themselves():
    found = read([{"item": "Shoes", "days": 30, "shop": {"city": "Berlin"}}, {"item": "Hats", "sizes": [1, 2]}])
    assert found.text == "item: Shoes; days: 30; shop.city: Berlin\n\nitem: Hats; sizes: 1, 2"
    assert found.sections == ()


def test_objects_are_headings_with_their_whole_path():
    found = read({"name": "Shop", "policy": {"refund": {"days": 30}, "open": True}, "goods": [{"a": 1}, {"a": 2}]})
    assert found.text == "name: Shop\n\npolicy\n\nopen: true\n\nrefund\n\ndays: 30\n\ngoods\n\na: 1\n\na: 2"
    assert [section.path for section in found.sections] == [("policy",), ("policy", "refund"), ("goods",)]


def test_values_stay_as_they_are_written():
    text = '{"a": 1.10, "b": 100000000000000000000001, "b": null, "c": "", "d": [], "e": {}, "f": [[1, 2], [3]]}'
    found = read_json(text.encode(), HERE).text
    for shown in ("a: 1.10", "b: 100000000000000000000001", "b: null", 'c: ""', "d: []", "e: {}", "f\n\n1, 2\n\n3"):
        assert shown in found


WORDS = st.text("abcdefgh", min_size=1, max_size=8)
VALUES = st.recursive(
    st.integers() | st.booleans() | st.none() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_no_value_and_no_name_is_lost(value: object):
    found = re.findall(r"-?\w+", read(value).text)
    for each in re.findall(r"-?\w+", json.dumps(value)):
        assert each in found


def test_what_is_no_json_is_kept_as_text():
    found = read_json(b'{"a": 1, // a comment\n}', HERE)
    assert found.text == '{"a": 1, // a comment\n}'
    assert found.metadata == {"json": "unparsed"}


def test_lines_of_records_under_the_name_of_json():
    assert read_json(b'{"a": 1}\n{"a": 2}\n', HERE).text == "a: 1\n\na: 2"


def test_a_broken_line_is_kept_and_counted():
    found = read_json_lines(b'{"a": 1}\n\n{"a": \n"alone"\n[1, {"b": 2}]\n', Path("a.jsonl"))
    assert found.text == 'a: 1\n\n{"a":\n\nalone\n\n[0]: 1; [1].b: 2'
    assert found.metadata == {"broken_lines": 1}


def test_nesting_without_end_is_damage():
    with pytest.raises(DamagedFileError, match="nested too deeply"):
        read_json(b"[" * 900 + b"1" + b"]" * 900, HERE)
