import socket
from collections.abc import Iterator
from typing import Any

import pytest

from plumbline.errors import InputError
from rag.errors import MissingFileError, TooLargeError, UnreadableFileError
from rag.ingest.item import Item, PassedOver
from rag.ingest.load import read_item
from rag.ingest.settings import LoadingSettings
from rag.ingest.source.remote import RemoteSource, fetch, named
from tests.rag.ingest.source.web import Page, Web

fsspec = pytest.importorskip("fsspec", reason="the extra `remote` is not installed")
LOADING = LoadingSettings()


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    for path, data in {
        "/kb/a.md": b"# A\n\nText of a.",
        "/kb/sub/b#1?.txt": b"Text of b.",
        "/kb/sub/c.bin": b"\0",
        "/kb/.hidden/d.md": b"hidden",
        "/other/e.md": b"other",
    }.items():
        system.pipe(path, data)
    yield system
    system.rm("/kb", recursive=True)
    system.rm("/other", recursive=True)


def test_a_page_is_read_as_what_it_is(web: Web) -> None:
    page = b"<html><title>T</title><body><h1>Opening hours</h1><p>Nine to five, every day but Sunday.</p></body></html>"
    web.pages["/hours"] = Page(page, headers={"Content-Type": "text/html; charset=utf-8", "ETag": "1"})
    source = RemoteSource(f"{web.url}/hours")
    [item] = source.items()
    assert isinstance(item, Item)
    assert (item.source, item.name, item.size) == (f"{web.url}/hours", "hours.html", len(page))
    assert source.root == item.source
    reading = read_item(item, LOADING)
    assert reading is not None
    [document] = reading.documents
    assert "Nine to five" in document.text
    assert "<p>" not in document.text
    assert (document.source, document.name, document.media_type) == (item.source, "hours.html", "text/html")
    assert read_item(item, LOADING, known_hash=reading.hash) is None


def test_the_name_of_a_script_does_not_hide_a_web_page(web: Web) -> None:
    web.pages["/show.php?id=7"] = Page(b"<html><p>Nine to five.</p></html>", headers={"Content-Type": "text/html"})
    web.pages["/rows?of=x"] = Page(b"a\tb\n1\t2\n", headers={"Content-Type": "text/tab-separated-values"})
    items = RemoteSource([f"{web.url}/show.php?id=7", f"{web.url}/rows?of=x"]).items()
    readings = [read_item(item, LOADING) for item in items if isinstance(item, Item)]
    documents = [reading.documents[0] for reading in readings if reading]
    assert [(each.name, each.text.strip()) for each in documents] == [
        ("rows.tsv", "a: 1; b: 2"),
        ("show.php.html", "Nine to five."),
    ]


def test_a_list_says_of_each_what_became_of_it(web: Web) -> None:
    web.pages["/b.md"] = Page(b"text")
    web.pages["/a.txt?v=1"] = Page(b"text")
    web.pages["/logo"] = Page(b"\x89PNG", headers={"Content-Type": "image/png"})
    web.pages["/down.md"] = Page(status=500)
    source = RemoteSource([f"{web.url}/{path}" for path in ("b.md", "a.txt?v=1", "gone.md", "logo", "down.md")])
    found = [(each.name, getattr(each, "reason", None), getattr(each, "failed", None)) for each in source.items()]
    assert found == [
        ("a.txt", None, None),
        ("b.md", None, None),
        ("down.md", "the server answers 500 Internal Server Error", True),
        ("gone.md", "the server has no such file (404)", True),
        ("logo", "the format 'image/png' is not read", False),
    ]
    gone = {path: source.is_gone(f"{web.url}/{path}") for path in ("b.md", "down.md", "gone.md", "not-in-the-list.md")}
    assert gone == {"b.md": False, "down.md": False, "gone.md": True, "not-in-the-list.md": True}


def test_long_lists_come_in_order(web: Web) -> None:
    names = [f"{number:04}.md" for number in range(300)]
    for name in names[::3]:
        web.pages[f"/{name}"] = Page(b"text")
    found = list(RemoteSource([f"{web.url}/{name}" for name in reversed(names)]).items())
    assert [each.name for each in found] == names
    assert [isinstance(each, Item) for each in found] == [number % 3 == 0 for number in range(300)]


def test_a_list_that_is_left_early_stops_asking(web: Web) -> None:
    items = RemoteSource([f"{web.url}/{number}.md" for number in range(200)]).items()
    assert isinstance(next(items), PassedOver)
    items.close()  # type: ignore[attr-defined]  # a generator
    assert len(web.asked) < 200


def test_a_single_url_that_is_not_there_is_an_error(web: Web) -> None:
    with pytest.raises(InputError, match=r"no such file \(404\)"):
        list(RemoteSource(f"{web.url}/none.md").items())


def test_out_of_reach_is_not_gone() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.md"
    assert not RemoteSource(url).is_gone(url)


def test_secrets_are_not_in_what_is_stored(web: Web) -> None:
    web.pages["/a.md?id=1&token=t0p"] = Page(b"text", login="Basic bWU6cHc=")
    url = web.url.replace("//", "//me:pw@") + "/a.md?id=1&token=t0p"
    source = RemoteSource([url])
    [item] = source.items()
    assert isinstance(item, Item)
    assert (item.source, source.root) == (f"{web.url}/a.md?id=1",) * 2
    assert fetch(item, LOADING) == b"text"
    with pytest.raises(InputError, match="Two URLs are both"):
        RemoteSource(["https://h/a?token=1", "https://h/a?token=2"])


def test_a_folder_of_a_file_system(memory: Any) -> None:
    source = RemoteSource("memory://kb")
    found = list(source.items())
    assert [(each.source, each.name, getattr(each, "reason", None)) for each in found] == [
        ("memory:///kb/.hidden/d.md", ".hidden/d.md", "hidden"),
        ("memory:///kb/a.md", "a.md", None),
        ("memory:///kb/sub/b%231%3F.txt", "sub/b#1?.txt", None),
        ("memory:///kb/sub/c.bin", "sub/c.bin", "the format '.bin' is not read"),
    ]
    item = found[2]
    assert isinstance(item, Item)
    assert fetch(item, LOADING) == b"Text of b."
    assert item.size == 10
    with pytest.raises(TooLargeError):
        fetch(item, LoadingSettings(max_file_bytes=9))


def test_stamps_follow_the_content(memory: Any) -> None:
    [first] = RemoteSource("memory://kb/a.md").items()
    [second] = RemoteSource("memory://kb/a.md").items()
    memory.pipe("/kb/a.md", b"other text")
    [third] = RemoteSource("memory://kb/a.md").items()
    assert isinstance(first, Item)
    assert isinstance(third, Item)
    assert first == second
    assert first.stamp
    assert first.stamp != third.stamp
    assert 0 < first.changed_ns < third.changed_ns


def test_patterns(memory: Any) -> None:
    found = list(RemoteSource("memory://kb/**/*.txt").items())
    assert [each.name for each in found] == ["sub/b#1?.txt"]


def test_what_the_listing_has_no_more_is_gone(memory: Any) -> None:
    source = RemoteSource("memory://kb")
    assert not source.is_gone("memory:///kb/a.md")
    assert source.is_gone("memory:///kb/never.md")
    memory.rm("/kb/a.md")
    list(source.items())
    assert source.is_gone("memory:///kb/a.md")


def test_a_file_that_vanishes_before_it_is_read(memory: Any) -> None:
    [item] = RemoteSource("memory://kb/a.md").items()
    memory.rm("/kb/a.md")
    assert isinstance(item, Item)
    with pytest.raises(MissingFileError):
        fetch(item, LOADING)


def test_file_systems_that_are_not_there(memory: Any) -> None:
    with pytest.raises(InputError, match="no file at memory://none"):
        list(RemoteSource("memory://none").items())
    for url in ("nosuchscheme://a/b", "hdfs://host/a"):
        with pytest.raises(InputError, match="cannot be opened"):
            list(RemoteSource(url).items())
        assert not RemoteSource(url).is_gone(url)
        with pytest.raises(UnreadableFileError):
            fetch(Item(url, "a", url, None, ""), LOADING)


def test_web_and_other_file_systems_in_one_list(web: Web, memory: Any) -> None:
    web.pages["/z.md"] = Page(b"text")
    source = RemoteSource([f"{web.url}/z.md", "memory://other", "memory://kb/a.md"], root="ours")
    assert [each.name for each in source.items()] == ["z.md", "a.md", "e.md"]
    assert source.root == "ours"
    assert RemoteSource(["memory://a", "memory://b"]).root == RemoteSource(["memory://b", "memory://a"]).root


@pytest.mark.parametrize(
    ("name", "media_type", "result"),
    [
        ("a.pdf", "text/html", "a.pdf"),
        ("page.php", "text/html", "page.php.html"),
        ("README.md", "text/html", "README.md.html"),
        ("page.htm", "text/html", "page.htm"),
        ("report", "application/pdf", "report.pdf"),
        ("notes", "text/plain", "notes.txt"),
        ("notes", "application/octet-stream", "notes"),
        ("notes", "", "notes"),
    ],
)
def test_names_carry_the_format(name: str, media_type: str, result: str) -> None:
    assert named(name, media_type) == result
