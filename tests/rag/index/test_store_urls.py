"""What is wrong with the address of a store, and what of it may be shown."""

from __future__ import annotations

import pytest

from rag.index.store_urls import without_password, wrong_part

HTTP, POSTGRES = ("http", "https"), ("postgresql", "postgres")


@pytest.mark.parametrize(
    "url",
    ["http://host", "https://host:6333/prefix/", "http://127.0.0.1:1", "http://[::1]:6333", "HTTP://host"],
)
def test_addresses_of_servers(url: str) -> None:
    assert wrong_part(url, HTTP) is None


@pytest.mark.parametrize(
    "url",
    ["postgresql:///db", "postgres://u:p@h:5432/db?sslmode=require", "postgresql://a:1,b:2/db", "postgresql://"],
)
def test_what_postgresql_reads_is_left_to_it(url: str) -> None:
    assert wrong_part(url, POSTGRES) is None


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("localhost:6333", "it begins with 'localhost:' and not with http:// or https://"),
        ("host", "it begins not with http:// or https://"),
        ("", "it begins not with http:// or https://"),
        ("http:host", "after 'http:' there is no '//'"),
        ("http://", "it names no host"),
        ("http://:6333", "it names no host"),
        ("http://host:0", "its port '0' is no number up to 65535"),
        ("http://u:secret@host:port", "its port 'port' is no number up to 65535"),
        ("http://[host", "its host is no address"),
        ("http://host?key=secret", "its end '?…' is not understood"),
        ("http://host/#a", "its end '#…' is not understood"),
    ],
)
def test_the_wrong_part_is_named(url: str, wrong: str) -> None:
    assert wrong_part(url, HTTP) == wrong


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:5/db?x=1", "postgresql://u@h:5/db?x=1"),
        ("postgresql://u:p@w:d@h/db", "postgresql://u@h/db"),
        ("postgresql://u:p@[x", "postgresql://u@[x"),
        ("http://h:6333/a@b:c", "http://h:6333/a@b:c"),
        ("http://u@h", "http://u@h"),
        (None, None),
    ],
)
def test_no_password_is_shown(url: str | None, shown: str | None) -> None:
    assert without_password(url) == shown
