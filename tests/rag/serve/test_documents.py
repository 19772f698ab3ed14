"""Documents over HTTP: uploads that are refused or whole, deletions, passages."""

from __future__ import annotations

import asyncio
import io
import threading
import zipfile
from pathlib import Path
from typing import Any

import httpx2
import pytest

from rag import RAG
from rag.index.catalogue import Catalogue
from rag.serve import multipart
from rag.serve.passage import passage_of
from rag.types import Document
from tests.rag.serve.conftest import RawRequest, Served, Serving

CATS = b"# Cats\n\nCats sleep 14 hours a day.\n"


def form(*files: tuple[str, bytes], field: str = "files") -> list[tuple[str, tuple[str, bytes]]]:
    return [(field, file) for file in files]


async def upload(served: Served, *files: tuple[str, bytes], kb: str | None = None) -> httpx2.Response:
    params = {} if kb is None else {"kb": kb}
    return await served.client.post("/api/documents", files=form(*files), params=params)


async def ended(served: Served, response: httpx2.Response) -> dict[str, Any]:
    assert response.status_code == 202, response.text
    await served.host.ingestions.finish()
    found: dict[str, Any] = (await served.client.get(f"/api/ingestions/{response.json()['ingestion']}")).json()
    return found


def stored(served: Served, kb: str = "kb") -> list[str]:
    folder = served.host.base(kb).parts.path / "uploads"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def documents(served: Served, **params: str) -> dict[str, dict[str, Any]]:
    listed = (await served.client.get("/api/documents", params=params)).json()["documents"]
    return {row["document"]: row for row in listed}


async def test_an_upload_is_stored_ingested_and_answered_from(serving: Serving) -> None:
    served = await serving()
    done = await ended(served, await upload(served, ("cats.md", CATS), ("dogs.txt", b"Dogs sleep 11 hours a day.")))
    assert done["state"] == "done"
    assert {file["document"]: file["outcome"] for file in done["report"]["files"]} == {
        "cats.md": "added",
        "dogs.txt": "added",
    }
    assert stored(served) == ["cats.md", "dogs.txt"]
    assert "14 hours" in (await served.ask("How many hours do cats sleep?")).json()["text"]
    listed = await documents(served)
    assert listed["cats.md"]["pages"] is None
    assert listed["cats.md"]["indexed"] is True
    again = await ended(served, await upload(served, ("cats.md", CATS.replace(b"14", b"15"))))
    assert [(file["document"], file["outcome"]) for file in again["report"]["files"]] == [("cats.md", "updated")]
    metrics = (await served.client.get("/metrics")).text
    assert 'plumbline_ingestions_total{state="done"} 2.0' in metrics


async def test_each_knowledge_base_has_its_own_uploads(serving: Serving) -> None:
    served = await serving(kbs=("books", "letters"), empty=True)
    await ended(served, await upload(served, ("cats.md", CATS), kb="letters"))
    assert (stored(served, "books"), stored(served, "letters")) == ([], ["cats.md"])
    assert set(await documents(served)) == set()
    assert set(await documents(served, kb="letters")) == {"cats.md"}
    assert (await upload(served, ("cats.md", CATS), kb="nope")).status_code == 404


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("..\\..\\windows\\a.txt", "a.txt"),
        ("/etc/a.md", "a.md"),
        (".hidden.md", "hidden.md"),
        ("~$lock.docx.md", "lock.docx.md"),
        ("a:b|c?.md", "a_b_c_.md"),
        ("  spaced name.md ", "spaced name.md"),
        ("u\u0308ber.md", "über.md"),
        ("a\u202egpj.md", "agpj.md"),
        ("日本語 🙂.md", "日本語 🙂.md"),
        ("a" * 300 + ".md", "a" * 197 + ".md"),
        ("é" * 150 + ".md", "é" * 98 + ".md"),
        ("REPORT.MD", "REPORT.MD"),
        ("a.md.", "a.md"),
    ],
)
async def test_names_are_made_safe(serving: Serving, given: str, kept: str) -> None:
    served = await serving(empty=True)
    done = await ended(served, await upload(served, (given, CATS)))
    assert stored(served) == [kept]
    assert [file["outcome"] for file in done["report"]["files"]] == ["added"]


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ([("cats.exe", CATS)], 415, ["'.exe'", "cats.exe", ".pdf"]),
        ([("cats", CATS)], 415, ["cats"]),
        ([(".md", CATS)], 415, ["'md'"]),
        ([("...", CATS)], 422, ["..."]),
        ([("cats.md", CATS), ("cats.md", CATS)], 422, ["Two files", "cats.md"]),
        ([("cats.md", b"")], 422, ["empty", "cats.md"]),
        ([("cats.pdf", CATS)], 415, ["cats.pdf", "not what its name says"]),
        ([("cats.docx", CATS)], 415, ["cats.docx"]),
        ([("cats.md", b"\x89PNG\r\n\x1a\n")], 415, ["cats.md"]),
        ([("cats.txt", b"%PDF-1.7")], 415, ["cats.txt"]),
        ([("good.md", CATS), ("bad.exe", CATS)], 415, ["bad.exe"]),
        ([("good.md", CATS), ("large.md", b"a" * 3000)], 413, ["large.md", "2,000"]),
        ([(f"{n}.md", CATS) for n in range(4)], 413, ["at most 3 files"]),
        ([(f"{n}.md", b"a" * 1900) for n in range(3)], 413, ["5,000 bytes", "serve.max_upload_bytes"]),
    ],
)
async def test_what_cannot_be_ingested_is_refused_and_nothing_is_kept(
    serving: Serving, files: list[tuple[str, bytes]], status: int, words: list[str]
) -> None:
    limits = {"serve.max_upload_files": 3, "serve.max_upload_bytes": 5000, "loading.max_file_bytes": 2000}
    served = await serving(empty=True, settings=limits)
    response = await upload(served, *files)
    assert response.status_code == status, response.text
    for word in words:
        assert word in response.text
    assert stored(served) == []
    assert not served.host.ingestions._known


@pytest.mark.parametrize(
    ("content_type", "body", "status", "word"),
    [
        ("application/json", b"{}", 415, "multipart/form-data"),
        ("multipart/form-data", b"", 415, "boundary"),
        ("multipart/form-data; boundary=x", b"nonsense", 400, "not multipart"),
        ("multipart/form-data; boundary=x", b"", 400, "closing boundary"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422, "holds no file"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\nhalf',
            400,
            "closing boundary",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nvalue\r\n--x--\r\n',
            422,
            "'other'",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nvalue\r\n--x--\r\n',
            422,
            "file name",
        ),
    ],
)
async def test_a_broken_form_is_refused(
    serving: Serving, content_type: str, body: bytes, status: int, word: str
) -> None:
    served = await serving(empty=True)
    response = await served.client.post("/api/documents", content=body, headers={"content-type": content_type})
    assert (response.status_code, word in response.text) == (status, True), response.text
    assert stored(served) == []


HALF = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\n' + b"half a file " * 100


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "_WRITE_BYTES", 100)
    served = await serving(empty=True)
    headers = {"content-type": "multipart/form-data; boundary=x"}
    request = RawRequest(served.app, "/api/documents", HALF, headers, whole=False)
    task = request.start()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if stored(served):
            break
    (half,) = stored(served)
    assert half.startswith("."), "hidden, so that no ingestion takes it"
    request.gone.set()
    await asyncio.wait_for(task, 5)
    assert (stored(served), request.sent) == ([], [])


async def test_an_upload_that_stands_still_is_given_up(serving: Serving) -> None:
    served = await serving(empty=True, settings={"serve.timeout_seconds": 0.05})
    headers = {"content-type": "multipart/form-data; boundary=x"}
    request = RawRequest(served.app, "/api/documents", HALF, headers, whole=False)
    await asyncio.wait_for(request.start(), 5)
    assert (request.status, stored(served)) == (408, [])


async def test_a_file_that_cannot_be_read_is_told_in_the_report(serving: Serving) -> None:
    served = await serving()
    done = await ended(served, await upload(served, ("broken.pdf", b"%PDF-1.7 and nothing more")))
    (file,) = done["report"]["files"]
    assert (done["state"], file["outcome"]) == ("done", "failed")
    assert file["reason"]


async def test_an_ingestion_that_fails_has_a_problem(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    from plumbline.errors import StorageError

    async def full(self: RAG, *args: object, **more: object) -> None:
        raise StorageError("The disk is full.", hint="Free some room.")

    served = await serving()
    monkeypatch.setattr(RAG, "aingest", full)
    done = await ended(served, await upload(served, ("cats.md", CATS)))
    assert (done["state"], done["report"]) == ("failed", None)
    assert (done["problem"]["status"], done["problem"]["hint"]) == (507, "Free some room.")


async def test_what_an_earlier_server_did_not_ingest_is_ingested_at_the_start(serving: Serving) -> None:
    served = await serving()
    folder = served.host.base(None).parts.path / "uploads"
    folder.mkdir()
    (folder / "cats.md").write_bytes(CATS)
    (folder / ".upload-half").write_bytes(b"half")
    await served.host.warm_up()
    await served.host.ingestions.finish()
    assert stored(served) == ["cats.md"]
    assert "14 hours" in (await served.ask("How many hours do cats sleep?")).json()["text"]


async def test_an_uploaded_document_is_deleted_with_its_file(serving: Serving) -> None:
    served = await serving()
    await ended(served, await upload(served, ("cats.md", CATS)))
    document_id = (await documents(served))["cats.md"]["document_id"]
    response = await served.client.delete(f"/api/documents/{document_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert stored(served) == []
    assert "cats.md" not in await documents(served)
    assert "14 hours" not in (await served.ask("How many hours do cats sleep?")).json()["text"]
    assert (await served.client.delete(f"/api/documents/{document_id}")).status_code == 404
    await served.host.warm_up()
    await served.host.ingestions.finish()
    assert "cats.md" not in await documents(served)


def archive(**members: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, text in members.items():
            file.writestr(f"{name}.md", text)
    return made.getvalue()


async def test_documents_of_an_archive_are_deleted_together_and_do_not_come_back(serving: Serving) -> None:
    served = await serving(empty=True)
    animals = archive(cats="# Cats\n\nCats sleep 14 hours a day.", dogs="# Dogs\n\nDogs sleep 11 hours a day.")
    done = await ended(served, await upload(served, ("animals.zip", animals)))
    assert [(file["document"], file["documents"]) for file in done["report"]["files"]] == [("animals.zip", 2)]
    listed = await documents(served)
    assert set(listed) == {"animals.zip!/cats.md", "animals.zip!/dogs.md"}
    cats = listed["animals.zip!/cats.md"]
    assert cats["source"] == f"{cats['file']}!/cats.md"
    refused = await served.client.delete(f"/api/documents/{cats['document_id']}")
    assert refused.status_code == 409
    assert "one of 2 documents of 'animals.zip'" in refused.json()["detail"]
    assert len(await documents(served)) == 2
    gone = await served.client.delete(f"/api/documents/{cats['document_id']}", params={"whole": "true"})
    assert gone.status_code == 204
    assert stored(served) == []
    await ended(served, await upload(served, ("birds.md", b"# Birds\n\nBirds sleep 10 hours a day.")))
    assert set(await documents(served)) == {"birds.md"}


async def test_an_archive_in_a_folder_is_not_deleted(serving: Serving, docs: Path) -> None:
    (docs / "old.zip").write_bytes(archive(cats="# Cats\n\nCats sleep 14 hours a day."))
    served = await serving()
    document_id = (await documents(served))["old.zip!/cats.md"]["document_id"]
    refused = await served.client.delete(f"/api/documents/{document_id}", params={"whole": "true"})
    assert refused.status_code == 409
    assert "old.zip!/cats.md" in await documents(served)


async def test_a_document_of_a_folder_is_deleted_only_once_its_file_is_gone(serving: Serving, docs: Path) -> None:
    served = await serving()
    document_id = (await documents(served))["returns.md"]["document_id"]
    refused = await served.client.delete(f"/api/documents/{document_id}")
    assert refused.status_code == 409
    assert "returns.md" in refused.json()["detail"]
    assert (docs / "returns.md").exists()
    (docs / "returns.md").unlink()
    assert (await served.client.delete(f"/api/documents/{document_id}")).status_code == 204
    assert "returns.md" not in await documents(served)


async def test_a_passage_is_the_citation_with_its_surroundings(serving: Serving) -> None:
    served = await serving()
    answer = (await served.ask()).json()
    cited = answer["citations"][0]
    params = {"start": cited["start"], "end": cited["end"], "around": 60}
    passage = (await served.client.get(f"/api/documents/{cited['document_id']}/passage", params=params)).json()
    document = served.host.base(None).document(cited["document_id"])
    assert document is not None
    assert passage["quote"] == cited["quote"] == document.text[cited["start"] : cited["end"]]
    assert document.text[: cited["start"]].endswith(passage["before"])
    assert document.text[cited["end"] :].startswith(passage["after"])
    assert max(len(passage["before"]), len(passage["after"])) <= 60
    assert (passage["section"], passage["characters"]) == (cited["section"], len(document.text))


@pytest.mark.parametrize(
    ("start", "end"), [(-1, 3), (5, 3), (0, 10**6), ("a", 3), (0, ""), (0, 10**30)], ids=lambda value: str(value)[:8]
)
async def test_a_passage_outside_the_document_is_refused(serving: Serving, start: object, end: object) -> None:
    served = await serving()
    document_id = (await documents(served))["returns.md"]["document_id"]
    params = {"start": str(start), "end": str(end)}
    response = await served.client.get(f"/api/documents/{document_id}/passage", params=params)
    assert response.status_code == 422
    assert response.json()["errors"]


TEXT = "First line of 🙂 text\nsecond line that is rather long, with words\nthird line here\n" * 20


@pytest.mark.parametrize("around", [0, 5, 25, 300, 10_000])
@pytest.mark.parametrize(("start", "end"), [(0, 5), (700, 740), (len(TEXT) - 8, len(TEXT)), (700, 700)])
def test_surroundings_end_where_lines_or_words_do(kb: RAG, start: int, end: int, around: int) -> None:
    catalogue: Catalogue = kb.parts.catalogue
    catalogue.put_document(Document("d", "d.txt", "d.txt", TEXT, "h", "text/plain"), [])
    passage = passage_of(catalogue, "d", start, end, around)
    assert passage.quote == TEXT[start:end]
    begins, ends = start - len(passage.before), end + len(passage.after)
    assert TEXT[begins:start] == passage.before
    assert TEXT[end:ends] == passage.after
    assert start - begins <= around
    assert ends - end <= around
    breaks = "\n "
    if passage.before and begins > 0 and around > 100:
        assert TEXT[begins - 1] in breaks
    if passage.after and ends < len(TEXT) and around > 100:
        assert TEXT[ends] in breaks


async def test_one_ingestion_at_a_time_and_answers_in_between(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most = 0, 0
    original = RAG.aingest

    async def watched(self: RAG, *args: Any, **more: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        report = await original(self, *args, **more)
        running -= 1
        return report

    served = await serving()
    monkeypatch.setattr(RAG, "aingest", watched)
    answers = await asyncio.gather(
        *(upload(served, (f"cats{n}.md", CATS)) for n in range(4)), *(served.ask() for _ in range(4))
    )
    assert [response.status_code for response in answers] == [202] * 4 + [200] * 4
    await served.host.ingestions.finish()
    assert most == 1
    assert len(await documents(served)) == 3 + 4


async def test_an_upload_does_not_wait_for_the_ingestion_that_runs(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    original = RAG.aingest

    async def held(self: RAG, *args: Any, **more: Any) -> Any:
        await asyncio.to_thread(release.wait, 20)
        return await original(self, *args, **more)

    served = await serving()
    monkeypatch.setattr(RAG, "aingest", held)
    try:
        responses = [await upload(served, (f"cats{n}.md", CATS)) for n in range(3)]
        states = [
            (await served.client.get(f"/api/ingestions/{response.json()['ingestion']}")).json()["state"]
            for response in responses
        ]
        assert states == ["running", "queued", "queued"]
        assert stored(served) == ["cats0.md", "cats1.md", "cats2.md"]
    finally:
        release.set()
    await served.host.ingestions.finish()
    assert len(await documents(served)) == 3 + 3


async def test_an_upload_that_says_it_is_too_large_is_not_read(serving: Serving) -> None:
    served = await serving(settings={"serve.max_upload_bytes": 5000})
    headers = {"content-type": "multipart/form-data; boundary=x", "content-length": "5001"}
    request = RawRequest(served.app, "/api/documents", b"", headers, whole=False)
    await asyncio.wait_for(request.start(), 5)
    assert request.status == 413
    assert stored(served) == []


async def test_ingestions_that_wait_are_bounded(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    from rag.serve import ingestions

    monkeypatch.setattr(ingestions, "LONGEST_QUEUE", 0)
    served = await serving()
    response = await upload(served, ("cats.md", CATS))
    assert response.status_code == 503
    assert stored(served) == []


async def test_states_that_are_remembered_are_bounded(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    from rag.serve import ingestions

    monkeypatch.setattr(ingestions, "KEPT", 2)
    served = await serving()
    ids = [(await upload(served, (f"cats{n}.md", CATS))).json()["ingestion"] for n in range(3)]
    await served.host.ingestions.finish()
    states = [(await served.client.get(f"/api/ingestions/{ingestion}")).status_code for ingestion in ids]
    assert states == [404, 200, 200]
