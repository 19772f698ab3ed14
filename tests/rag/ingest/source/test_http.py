import socket

import pytest

from rag.errors import DamagedFileError, LoadError, MissingFileError, TooLargeError, UnreadableFileError
from rag.ingest.settings import LoadingSettings
from rag.ingest.source.http import get, head
from tests.rag.ingest.source.web import Page, Web

LOADING = LoadingSettings(max_file_bytes=1000)
NEWS = {"ETag": '"v1"', "Last-Modified": "Tue, 03 Jun 2025 11:05:30 GMT", "Content-Type": "text/html; charset=utf-8"}


def test_what_a_server_says_of_a_file(web: Web) -> None:
    web.pages["/news"] = Page(b"<p>News</p>", headers=NEWS)
    found = head(f"{web.url}/news")
    assert (found.size, found.stamp, found.media_type) == (11, '11-"v1"', "text/html")
    assert found.changed_ns == 1_748_948_730 * 10**9
    assert web.asked == ["HEAD /news"]


def test_without_marks_only_reading_tells(web: Web) -> None:
    web.pages["/a"] = Page(b"text", headers={"Last-Modified": "yesterday, I think"})
    web.pages["/b"] = Page(b"text")
    assert head(f"{web.url}/a").changed_ns == 0
    assert (head(f"{web.url}/b").stamp, head(f"{web.url}/b").media_type) == ("", "")


@pytest.mark.parametrize("status", [403, 405, 501])
def test_servers_that_know_no_head_are_asked_otherwise(web: Web, status: int) -> None:
    web.pages["/a"] = Page(b"text", headers={"ETag": "x"}, head_status=status)
    assert head(f"{web.url}/a").stamp == "4-x"


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (404, MissingFileError, "the server has no such file (404)"),
        (410, MissingFileError, "the server has no such file (410)"),
        (401, UnreadableFileError, "the server does not let us read it (401)"),
        (403, UnreadableFileError, "the server does not let us read it (403)"),
        (429, UnreadableFileError, "the server answers 429 Too Many Requests"),
        (503, UnreadableFileError, "the server answers 503 Service Unavailable"),
    ],
)
def test_refusals_say_why(web: Web, status: int, kind: type[LoadError], reason: str) -> None:
    web.pages["/a"] = Page(status=status)
    for ask in (head, lambda url: get(url, LOADING)):
        with pytest.raises(LoadError) as caught:
            ask(f"{web.url}/a")
        assert (type(caught.value), caught.value.reason) == (kind, reason)


def test_the_bytes_as_they_are(web: Web) -> None:
    web.pages["/a%20b/%C3%A9?q=1%202"] = Page(b"\x00\xff text")
    assert get(f"{web.url}/a b/é?q=1 2#part", LOADING) == b"\x00\xff text"


def test_compressed_all_the_same(web: Web) -> None:
    web.pages["/a"] = Page(b"text " * 200, headers={"Content-Encoding": "gzip"})
    web.pages["/bomb"] = Page(b"text " * 100_000, headers={"Content-Encoding": "gzip"})
    web.pages["/br"] = Page(b"text", headers={"Content-Encoding": "br"})
    assert get(f"{web.url}/a", LOADING) == b"text " * 200
    with pytest.raises(TooLargeError):
        get(f"{web.url}/bomb", LOADING)
    with pytest.raises(UnreadableFileError, match="compressed as 'br'"):
        get(f"{web.url}/br", LOADING)


def test_no_more_is_read_than_is_allowed(web: Web) -> None:
    web.pages["/exact"] = Page(b"x" * 1000)
    web.pages["/declared"] = Page(b"", length=10**12)
    web.pages["/endless"] = Page(b"x" * 100, chunked=True)
    assert len(get(f"{web.url}/exact", LOADING)) == 1000
    for path in ("/declared", "/endless"):
        with pytest.raises(TooLargeError, match=r"loading\.max_file_bytes"):
            get(web.url + path, LOADING)


def test_a_transfer_that_is_cut_short_is_no_file(web: Web) -> None:
    web.pages["/a"] = Page(b"half of", length=14)
    with pytest.raises(DamagedFileError, match="ended after 7 of 14 bytes"):
        get(f"{web.url}/a", LOADING)


def test_silence_and_dripping_end(web: Web) -> None:
    web.pages["/silent"] = Page(b"text", silent=1.0)
    web.pages["/drip"] = Page(b"x" * 900, drip=True)
    with pytest.raises(UnreadableFileError, match=r"silent for 0\.2 seconds"):
        get(f"{web.url}/silent", LOADING, timeout=0.2)
    with pytest.raises(UnreadableFileError, match=r"longer than loading\.max_seconds \(0\.3 s\)"):
        get(f"{web.url}/drip", LoadingSettings(max_seconds=0.3))


def test_redirects_are_followed_to_web_pages_alone_and_not_for_ever(web: Web) -> None:
    web.pages["/a"] = Page(status=308, headers={"Location": "/b"})
    web.pages["/b"] = Page(b"text", headers={"ETag": "x"})
    web.pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
    web.pages["/file"] = Page(status=302, headers={"Location": "file:///etc/hostname"})
    web.pages["/ftp"] = Page(status=302, headers={"Location": "ftp://127.0.0.1/a"})
    assert get(f"{web.url}/a", LOADING) == b"text"
    assert head(f"{web.url}/a").stamp == "4-x"
    assert web.asked[2:] == ["HEAD /a", "HEAD /b"]
    for path in ("/loop", "/file", "/ftp"):
        with pytest.raises(UnreadableFileError):
            get(web.url + path, LOADING)
    assert len(web.asked) < 30


def test_credentials_go_to_their_host_alone_and_are_not_shown(web: Web) -> None:
    web.pages["/a"] = Page(b"text", login="Basic bWU6cEBzcw==")
    web.pages["/b"] = Page(status=302, headers={"Location": f"{web.url}/c"})
    web.pages["/c"] = Page(b"text")
    secret = web.url.replace("http://", "http://me:p%40ss@")
    assert get(f"{secret}/a", LOADING) == b"text"
    get(f"{secret}/b", LOADING)
    assert web.asked[-1] == "GET /c"
    with pytest.raises(MissingFileError) as caught:
        get(f"{secret}/none?token=abc", LOADING)
    assert f"Cannot read '{web.url}/none'" in str(caught.value)


def test_what_cannot_be_reached_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(UnreadableFileError, match="refuses the connection"):
        get(f"http://127.0.0.1:{port}/a", LOADING)

    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnreadableFileError, match=r"no address is known for the host 'nowhere\.invalid'"):
        get("http://nowhere.invalid/a", LOADING)


def test_a_server_that_speaks_something_else() -> None:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(UnreadableFileError, match="cannot be understood"):
            get(f"http://127.0.0.1:{server.getsockname()[1]}/a", LOADING)
        thread.join()
