from pathlib import Path

import pytest

from plumbline.errors import InputError
from rag.ingest.source.address import address, check, is_http, last_part, read_url_list, scheme_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/a.pdf", "https://host/a.pdf"),
        ("HTTPS://me:secret@host:8080/a b/é.pdf?page=2#top", "https://host:8080/a%20b/%C3%A9.pdf?page=2"),
        ("https://host/a?id=1&X-Amz-Signature=abc&X-Amz-Date=5&token=t&api_key=k", "https://host/a?id=1"),
        ("https://host/a?key=7&code=x", "https://host/a?key=7&code=x"),
        ("https://host/a?key=AIzaSyA0123456789abcdefgh", "https://host/a"),
        ("s3://id:secret@bucket/what? #1.md", "s3://bucket/what%3F%20%231.md"),
        ("memory:///docs/a\n.md", "memory:///docs/a%0A.md"),
    ],
)
def test_addresses_hold_no_secret_and_are_printable(url: str, shown: str) -> None:
    assert address(url) == shown
    assert address(shown) == shown or "%" in shown


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/docs/a%20b.pdf?x=/y.md", "a b.pdf"),
        ("https://host/docs/install/", "install"),
        ("https://host/", "host"),
        ("https://host", "host"),
        ("https://host/a%0Ab.md", "a\ufffdb.md"),
        ("s3://bucket/dir/what?#1.md", "what?#1.md"),
    ],
)
def test_names_are_the_last_part(url: str, name: str) -> None:
    assert last_part(url) == name


def test_schemes() -> None:
    assert [scheme_of(each) for each in ("https://h", "S3://b", r"C:\docs", "C:/docs", "docs/a.md", "mailto:x")] == [
        *("https", "s3"),
        *[""] * 4,
    ]
    assert is_http("http://h")
    assert not is_http("s3://b")


def test_lists_of_urls(tmp_path: Path) -> None:
    path = tmp_path / "links.urls"
    path.write_text(
        "\ufeff# ours\nhttps://h/a.pdf\n\n  https://h/b#part  # the second\ns3://b/c.md\n", encoding="utf-8"
    )
    assert read_url_list(path) == ["https://h/a.pdf", "https://h/b#part", "s3://b/c.md"]


@pytest.mark.parametrize("line", ["docs/a.md", "https://", "https://h/a b.pdf", "http://h:port/", "http://[::1/"])
def test_a_line_that_is_no_url_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "links.urls"
    path.write_text(f"https://h/a\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: .* is not a URL"):
        read_url_list(path)


def test_a_bad_url_does_not_show_its_password() -> None:
    with pytest.raises(InputError) as caught:
        check("https://me:secret@h:port/", "The address")
    assert "secret" not in str(caught.value)


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "links.urls"
    with pytest.raises(InputError, match="No such file"):
        read_url_list(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        read_url_list(path)
    path.write_text("# nothing\n")
    with pytest.raises(InputError, match="no URL in"):
        read_url_list(path)
