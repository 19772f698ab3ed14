import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.errors import ConfigError, CorruptStateError
from plumbline.text import tokens
from plumbline.text.tokens import estimate_tokens, tokenizer

PIECES = st.sampled_from(
    [
        "the",
        " word",
        "'s",
        "12345",
        "\n\n",
        " \n",
        *"abXY09 \n\t.,;:'\"()-_/\r",
        "é",
        "中",
        "文",
        "，",
        "の",
        "👍",
        "\u0301",
        "\u200d",
    ]
)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("hello world", [15339, 1917]),
        ("tiktoken is great!", [83, 1609, 5963, 374, 2294, 0]),
        ("antidisestablishmentarianism", [519, 85342, 34500, 479, 8997, 2191]),
        ("2 + 2 = 4", [17, 489, 220, 17, 284, 220, 19]),
        ("お誕生日おめでとう", [33334, 45918, 243, 21990, 9080, 33334, 62004, 16556, 78699]),
    ],
)
def test_ids_are_those_the_encoding_is_documented_with(text: str, ids: list[int]):
    assert tokenizer().encode(text) == ids


def test_special_tokens_in_a_text_are_plain_text():
    assert 100257 not in tokenizer().encode("<|endoftext|>")


def test_the_same_tokenizer_is_built_once():
    assert tokenizer() is tokenizer("cl100k_base")


def test_it_loads_without_network_and_without_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('network touched')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from plumbline.text.tokens import tokenizer\n"
        "print(tokenizer().count('hello world'))\n"
    )
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(tmp_path / "none")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == "2", done.stderr
    assert not (tmp_path / "none").exists()


def test_damaged_ranks_are_noticed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "_RANKS_SHA256", "0" * 64)
    with pytest.raises(CorruptStateError, match="damaged"):
        tokens._shipped.__wrapped__()


def test_an_encoding_that_is_not_cached_is_a_clear_error_and_no_download(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: pytest.fail("network touched"))
    with pytest.raises(ConfigError, match="TIKTOKEN_CACHE_DIR") as caught:
        tokenizer("o200k_harmony")
    assert caught.value.key == "tokenizer"
    assert str(tmp_path) in str(caught.value)


def test_a_damaged_cache_file_is_no_download_either(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    name = hashlib.sha1(tokens._RANKS_URL.format("r50k_base").encode()).hexdigest()
    (tmp_path / name).write_bytes(b"IQ== 0\n")
    with pytest.raises(ConfigError, match="r50k_base"):
        tokenizer("r50k_base")
    assert (tmp_path / name).exists()


def test_unknown_name_names_the_nearest():
    with pytest.raises(ConfigError, match="'cl100k_base'"):
        tokenizer("cl100k")


def test_index_gives_the_start_of_each_token():
    text = "Grüße, 你好 👍 world"
    index = tokenizer().index(text)
    ids = tokenizer().encode(text)
    assert len(index.starts) == len(ids) + 1
    assert index.starts[-1] == len(text)
    assert list(index.starts) == sorted(index.starts)
    assert text[index.starts[-2] : index.starts[-1]] == " world"


def test_lone_surrogates_do_not_stop_it():
    text = "a \ud800 b"
    assert tokenizer().index(text).starts[-1] == len(text)
    assert tokenizer().count(text) > 0


def test_long_texts_are_read_in_pieces_with_the_same_tokens(monkeypatch: pytest.MonkeyPatch):
    text = "Refunds take 30 days, as a rule.\nTwo lines;  some   spaces\n\n" * 40 + "退款期限为三十天，请保留。" * 40
    whole = list(tokenizer().index(text).starts)
    monkeypatch.setattr(tokens, "_SEGMENT", 64)
    assert list(tokenizer().index(text).starts) == whole


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=20, max_size=200), st.data())
def test_spans_are_counted_exactly(pieces: list[str], data: st.DataObject):
    text = "".join(pieces) * 5  # long enough for the short cut over hard boundaries
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert tokenizer().index(text).count(start, end) == tokenizer().count(text[start:end])


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        ("Refunds are paid within five working days to the card that was used for the purchase. " * 20, 0.8, 1.4),
        ("Las devoluciones se pagan en cinco días hábiles a la tarjeta que se usó para la compra. " * 20, 0.6, 1.2),
        ("退款将在五个工作日内退回到购买时使用的银行卡。" * 20, 0.6, 1.2),
    ],
)
def test_the_estimate_is_near(text: str, low: float, high: float):
    assert low * tokenizer().count(text) <= estimate_tokens(text) <= high * tokenizer().count(text)
