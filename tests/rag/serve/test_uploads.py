"""A tenant's uploads carry its label from the first moment, through kills, restarts and whatever else ingests."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import InputError
from rag.index.catalogue import Catalogue, FileContent
from rag.retrieve.access import ANYBODY, Access
from rag.serve.audience import Audience, may_see
from rag.serve.ingestions import Ingestions
from rag.serve.uploads import Uploads
from tests.rag.serve.conftest import Served, Serving

BLIMP = b"# Blimp\n\nThe blimp costs 7,777 dollars.\n"
ACME = Audience("acme", ("hr",))
SEES = Access("acme", ("hr",))

Stored = list[tuple[str, Any, Any]]


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Stored:
    """Every document that is ever stored: its name, and whom it was for at that moment."""
    seen: Stored = []
    put = Catalogue.put

    def noting(self: Catalogue, contents: Iterable[FileContent], *, generation: int) -> None:
        contents = list(contents)
        for _, cuts in contents:
            seen.extend((each.name, each.metadata.get("tenant"), each.metadata.get("groups")) for each, _ in cuts)
        put(self, contents, generation=generation)

    monkeypatch.setattr(Catalogue, "put", noting)
    return seen


async def upload(served: Served, key: str, name: str = "blimp.md", data: bytes = BLIMP, **params: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    files = [("files", (name, data))]
    response = await served.client.post("/api/documents", files=files, headers=headers, params=params)
    assert response.status_code == 202, response.text


async def restarted(serving: Serving) -> Served:
    """Another server over the same knowledge base, once it has done what it does at its start."""
    served = await serving(empty=True)
    await served.host.warm_up()
    await served.host.ingestions.finish()
    return served


async def theirs(served: Served, name: str = "blimp.md") -> bool:
    """Whether a document is there; whoever it is not for neither sees nor finds it."""
    base = served.host.base(None)
    rows = [row for row in base.parts.catalogue.documents() if row["name"] == name]
    assert all(may_see(SEES, row) and not may_see(ANYBODY, row) for row in rows)
    found = {hit.document for hit in await base.asearch("blimp dollars", access=SEES)}
    assert name not in {hit.document for hit in await base.asearch("blimp dollars", access=Access("globex"))}
    assert name not in {hit.document for hit in await base.asearch("blimp dollars")}
    assert (name in found) == bool(rows)
    return bool(rows)


async def test_what_a_killed_server_stored_is_ingested_as_its_tenants(
    serving: Serving, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = await serving()
    key = served.host.keys.add("a", "acme", ["hr"])

    def killed(*_: object, **more: object) -> None:
        raise ConnectionError("the server was killed here")

    with monkeypatch.context() as patched:
        patched.setattr(Ingestions, "start", killed)
        response = await served.client.post(
            "/api/documents",
            files=[("files", ("blimp.md", BLIMP))],
            headers={"authorization": f"Bearer {key}"},
            params={"group": "hr"},
        )
        assert response.status_code == 500
    assert not [each for each in stored if each[0] == "blimp.md"]
    base = served.host.base(None)
    source = Uploads.of(base.parts.path, ACME).source
    assert base.parts.manifest.labels()[source] == {"tenant": "acme", "groups": ("hr",)}
    again = await restarted(serving)
    assert await theirs(again)
    assert [each for each in stored if each[0] == "blimp.md"] == [("blimp.md", "acme", ("hr",))]


async def test_a_folder_alone_says_whose_it_is(serving: Serving, stored: Stored) -> None:
    """Of a knowledge base that is built anew only the folders are left."""
    served = await serving()
    folder = Uploads.of(served.host.base(None).parts.path, ACME).folder
    folder.mkdir(parents=True)
    (folder / "blimp.md").write_bytes(BLIMP)
    (folder / ".upload-half").write_bytes(BLIMP)
    (folder.parent / ".unknown").mkdir()
    (folder.parent / ".unknown" / "nobodys.md").write_bytes(BLIMP)
    assert await theirs(await restarted(serving))
    assert {each for each in stored if "blimp" in each[0] or "nobodys" in each[0]} == {("blimp.md", "acme", ("hr",))}
    assert not (folder / ".upload-half").exists()


async def test_nothing_that_ingests_around_it_makes_it_public(serving: Serving, stored: Stored) -> None:
    served = await serving()
    key, plain = served.host.keys.add("a", "acme", ["hr"]), served.host.keys.add("p")
    await upload(served, key, group="hr")
    await served.host.ingestions.finish()
    base = served.host.base(None)
    path = base.parts.path
    await upload(served, plain, "public.md", b"# Public\n\nFor everybody.")
    await served.host.ingestions.finish()
    await base.aingest(path, afresh=True)
    with pytest.raises(InputError, match="nothing to ingest"):
        await base.aingest(path / "uploads-for", afresh=True)
    with pytest.raises(InputError):
        await base.aingest(str(path / "uploads-for" / "**" / "*.md"), afresh=True)
    assert await theirs(served)
    folder = Uploads.of(path, ACME).folder
    await base.aingest(folder, afresh=True)
    await base.aingest(folder / "blimp.md", afresh=True)
    (folder / "blimp.md").write_bytes(BLIMP.replace(b"7,777", b"8,888"))
    assert (await base.averify()).complete
    assert await theirs(served)
    assert await theirs(await restarted(serving))
    assert {each for each in stored if "blimp" in each[0]} == {("blimp.md", "acme", ("hr",))}


async def test_a_folder_that_is_gone_takes_its_documents_with_it(serving: Serving) -> None:
    served = await serving()
    await upload(served, served.host.keys.add("a", "acme", ["hr"]), group="hr")
    await served.host.ingestions.finish()
    assert await theirs(served)
    shutil.rmtree(Uploads.of(served.host.base(None).parts.path, ACME).folder)
    assert not await theirs(await restarted(serving))


async def test_the_same_text_is_each_ones_own(serving: Serving) -> None:
    served = await serving(settings={"loading.duplicates": "skip"})
    keys = {name: served.host.keys.add(name, name) for name in ("acme", "globex")}
    for key in keys.values():
        await upload(served, key)
        await upload(served, key, "copy.md")
        await served.host.ingestions.finish()
    for name in keys:
        hits = await served.host.base(None).asearch("blimp dollars", tenant=name)
        assert [hit.document for hit in hits if "blimp" in hit.chunk.text] == ["blimp.md"]


async def test_what_is_deleted_leaves_its_own_folder_alone(serving: Serving) -> None:
    served = await serving()
    keys = [served.host.keys.add(name, name) for name in ("acme", "globex")]
    for key in keys:
        await upload(served, key)
    await served.host.ingestions.finish()
    path: Path = served.host.base(None).parts.path
    headers = {"authorization": f"Bearer {keys[0]}"}
    rows = (await served.client.get("/api/documents", headers=headers)).json()["documents"]
    (own,) = (row for row in rows if row["document"] == "blimp.md")
    assert (await served.client.delete(f"/api/documents/{own['document_id']}", headers=headers)).status_code == 204
    folders = [Uploads.of(path, Audience(name)).folder for name in ("acme", "globex")]
    assert [(folder / "blimp.md").exists() for folder in folders] == [False, True]
    rows = (await restarted(serving)).host.base(None).parts.catalogue.documents()
    assert [row["tenant"] for row in rows if row["name"] == "blimp.md"] == ["globex"]
