"""Two tenants and a key without one against one server: nobody is shown, told of or rid of what is another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.rag.serve.conftest import QUESTION, Served, Serving, events

SECRETS = {"acme": "Acme's blimp costs 7,777 dollars.", "globex": "Globex's blimp costs 9,999 dollars."}
BLIMP = "What does the blimp cost in dollars?"


@dataclass
class Caller:
    """A client with one key (or none), and the ids of what it uploaded."""

    served: Served
    key: str | None

    async def send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {} if self.key is None else {"authorization": f"Bearer {self.key}"}
        return await self.served.client.request(method, path, headers={**headers, **more.pop("headers", {})}, **more)

    async def upload(self, name: str, text: str, **params: Any) -> str:
        """Upload one file and wait for its ingestion, whose id is returned."""
        response = await self.send("POST", "/api/documents", files=[("files", (name, text.encode()))], params=params)
        assert response.status_code == 202, response.text
        await self.served.host.ingestions.finish()
        return str(response.json()["ingestion"])

    async def documents(self) -> dict[str, str]:
        listed = (await self.send("GET", "/api/documents")).json()["documents"]
        return {row["document"]: row["document_id"] for row in listed}

    async def chat(self, **more: Any) -> httpx2.Response:
        body = {"model": "kb/kb", "messages": [{"role": "user", "content": BLIMP}], **more}
        return await self.send("POST", "/v1/chat/completions", json=body)


@dataclass
class Town:
    """A server with documents of everybody's, of two tenants, and of one group of the first."""

    served: Served
    acme: Caller
    globex: Caller
    plain: Caller
    ingestions: dict[str, str]

    @property
    def callers(self) -> dict[str, Caller]:
        return {"acme": self.acme, "globex": self.globex, "plain": self.plain}


@pytest.fixture
async def town(serving: Serving) -> Town:
    served = await serving()
    keys = served.host.keys
    acme = Caller(served, keys.add("a", "acme", ["hr"]))
    globex = Caller(served, keys.add("g", "globex"))
    plain = Caller(served, keys.add("p"))
    begun = {
        "acme": await acme.upload("blimp.md", f"# Blimp\n\n{SECRETS['acme']}"),
        "globex": await globex.upload("blimp.md", f"# Blimp\n\n{SECRETS['globex']}"),
        "staff": await acme.upload("staff.md", "# Staff\n\nThe blimp's pilot earns 5,555 dollars.", group="hr"),
    }
    return Town(served, acme, globex, plain, begun)


ASKING = [
    ("POST", "/api/ask", {"question": BLIMP}),
    ("POST", "/api/ask", {"question": BLIMP, "stream": True}),
    ("POST", "/api/ask", {"question": BLIMP, "filter": "tenant = 'acme' or tenant = 'globex' or missing(tenant)"}),
    ("POST", "/api/search", {"query": BLIMP, "top_k": 1000}),
    ("POST", "/api/search", {"query": '"blimp costs" doll*', "top_k": 1000, "explain": True}),
    ("POST", "/api/search", {"query": BLIMP, "filter": "true or tenant = 'acme'", "explain": True}),
    ("POST", "/v1/chat/completions", {"model": "kb/kb", "messages": [{"role": "user", "content": BLIMP}]}),
    (
        "POST",
        "/v1/chat/completions",
        {"model": "kb/kb", "messages": [{"role": "user", "content": BLIMP}], "stream": True},
    ),
]


@pytest.mark.parametrize(("method", "path", "body"), ASKING)
async def test_what_is_asked_is_answered_from_ones_own(
    town: Town, method: str, path: str, body: dict[str, Any]
) -> None:
    shown = {}
    for name, caller in town.callers.items():
        response = await caller.send(method, path, json=body)
        assert response.status_code == 200, response.text
        shown[name] = response.text
    assert "7,777" in shown["acme"]
    assert "9,999" in shown["globex"]
    hidden = {"acme": ["9,999", "Globex"], "globex": ["7,777", "Acme", "5,555"], "plain": ["7,777", "9,999", "5,555"]}
    for name, words in hidden.items():
        assert not [word for word in words if word in shown[name]], name


async def test_what_is_listed_and_counted_is_what_may_be_seen(town: Town) -> None:
    public = set(await town.plain.documents())
    assert "returns.md" in public
    assert not public & {"blimp.md", "staff.md"}
    assert set(await town.acme.documents()) == public | {"blimp.md", "staff.md"}
    assert set(await town.globex.documents()) == public | {"blimp.md"}
    own = {name: (await caller.documents())["blimp.md"] for name, caller in town.callers.items() if name != "plain"}
    assert own["acme"] != own["globex"]
    described = {}
    for name, caller in town.callers.items():
        (described[name],) = (await caller.send("GET", "/api/kbs")).json()["kbs"]
    assert [described[name]["documents"] - len(public) for name in ("plain", "globex", "acme")] == [0, 1, 2]
    chunks = [described[name]["chunks"] for name in ("plain", "globex", "acme")]
    assert chunks == [chunks[0], chunks[0] + 1, chunks[0] + 2]


async def test_a_passage_of_anothers_is_not_there(town: Town) -> None:
    params = {"start": 0, "end": 5}
    for owner, stranger in (("acme", "globex"), ("globex", "acme"), ("acme", "plain")):
        document_id = (await town.callers[owner].documents())["blimp.md"]
        path = f"/api/documents/{document_id}/passage"
        assert (await town.callers[owner].send("GET", path, params=params)).status_code == 200
        refused = await town.callers[stranger].send("GET", path, params=params)
        unknown = await town.callers[stranger].send("GET", "/api/documents/0/passage", params=params)
        assert refused.status_code == unknown.status_code == 404
        assert refused.json()["detail"].replace(document_id, "0") == unknown.json()["detail"]


async def test_only_ones_own_is_deleted(town: Town) -> None:
    acmes, globexs = await town.acme.documents(), await town.globex.documents()
    for caller, document_id in (
        (town.globex, acmes["blimp.md"]),
        (town.plain, acmes["blimp.md"]),
        (town.acme, globexs["blimp.md"]),
        (town.globex, acmes["staff.md"]),
    ):
        for params in ({}, {"whole": "true"}):
            refused = await caller.send("DELETE", f"/api/documents/{document_id}", params=params)
            assert refused.status_code == 404
    await town.plain.upload("public.md", "# Public\n\nFor everybody.")
    public = (await town.acme.documents())["public.md"]
    kept = await town.acme.send("DELETE", f"/api/documents/{public}")
    assert (kept.status_code, kept.json()["type"]) == (403, "urn:plumbline:problem:forbidden")
    assert (await town.plain.send("DELETE", f"/api/documents/{public}")).status_code == 204
    for name in ("blimp.md", "staff.md"):
        assert (await town.acme.send("DELETE", f"/api/documents/{acmes[name]}")).status_code == 204
    assert not set(await town.acme.documents()) & {"blimp.md", "staff.md", "public.md"}
    assert (await town.globex.documents())["blimp.md"] == globexs["blimp.md"]
    assert "9,999" in (await town.globex.send("POST", "/api/ask", json={"question": BLIMP})).text


async def test_the_report_of_an_upload_is_its_owners(town: Town) -> None:
    for whose, allowed in (("acme", {"acme"}), ("globex", {"globex"}), ("staff", {"acme"})):
        for name, caller in town.callers.items():
            response = await caller.send("GET", f"/api/ingestions/{town.ingestions[whose]}")
            assert response.status_code == (200 if name in allowed else 404)
            assert ("blimp.md" in response.text or "staff.md" in response.text) == (name in allowed)


async def test_a_group_of_ones_own_alone_may_be_named(town: Town) -> None:
    for caller, group in ((town.acme, "board"), (town.globex, "hr"), (town.plain, "hr")):
        files = [("files", ("x.md", b"# X\n\nx"))]
        refused = await caller.send("POST", "/api/documents", files=files, params={"group": group})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "group")
    assert "x.md" not in await town.acme.documents()
    colleague = Caller(town.served, town.served.host.keys.add("c", "acme"))
    assert set(await colleague.documents()) & {"blimp.md", "staff.md"} == {"blimp.md"}


async def test_where_no_key_is_needed_the_owner_sees_everything(serving: Serving) -> None:
    served = await serving()
    folder = served.host.base(None).parts.path.parent / "theirs"
    folder.mkdir()
    (folder / "blimp.md").write_text(f"# Blimp\n\n{SECRETS['acme']}", encoding="utf-8")
    await served.host.base(None).aingest(folder, labels={"tenant": "acme"})
    owner = Caller(served, None)
    assert "blimp.md" in await owner.documents()
    assert "7,777" in (await owner.send("POST", "/api/ask", json={"question": BLIMP})).text
    (described,) = (await owner.send("GET", "/api/kbs")).json()["kbs"]
    assert described["documents"] == len(await owner.documents())
    globex = Caller(served, served.host.keys.add("g", "globex"))
    assert "blimp.md" not in await globex.documents()
    assert (await owner.send("GET", "/api/documents")).status_code == 401


async def test_without_keys_other_machines_see_what_is_for_everybody(serving: Serving) -> None:
    served = await serving(loopback=False)
    folder = served.host.base(None).parts.path.parent / "theirs"
    folder.mkdir()
    (folder / "blimp.md").write_text(f"# Blimp\n\n{SECRETS['acme']}", encoding="utf-8")
    await served.host.base(None).aingest(folder, labels={"tenant": "acme"})
    anybody = Caller(served, None)
    assert "blimp.md" not in await anybody.documents()
    assert "7,777" not in (await anybody.send("POST", "/api/ask", json={"question": BLIMP})).text
    assert "30 days" in (await anybody.send("POST", "/api/ask", json={"question": QUESTION})).text


async def test_the_metrics_of_all_are_not_one_tenants(serving: Serving) -> None:
    served = await serving(loopback=False)
    tenant, plain = (Caller(served, served.host.keys.add(name, of)) for name, of in (("a", "acme"), ("p", None)))
    assert (await tenant.send("GET", "/metrics")).status_code == 403
    assert (await plain.send("GET", "/metrics")).status_code == 200


async def test_the_stream_of_an_answer_tells_of_ones_own_evidence(town: Town) -> None:
    response = await town.globex.send("POST", "/api/ask", json={"question": BLIMP, "stream": True})
    told = dict(events(response.text))
    own = await town.globex.documents()
    assert {hit["document_id"] for hit in told["hits"]["hits"]} <= set(own.values())
    assert "9,999" in told["answer"]["text"]


NAMES = [
    "../../etc/passwd", "..", "ACME", "acme", "Acme Corp. & Sons", "acme+group=hr", "tenant=acme", "%2e%2e", "*?[a]",
    "' or 1=1 --", "株式会社", "null", "true",
]  # fmt: skip


async def test_hostile_names_keep_to_themselves(serving: Serving) -> None:
    served = await serving(empty=True)
    keys = served.host.keys
    callers = {name: Caller(served, keys.add(f"key {n}", name)) for n, name in enumerate(NAMES)}
    for number, caller in enumerate(callers.values()):
        await caller.upload(f"doc{number}.md", f"# Doc\n\nThe blimp costs {700 + number} dollars.")
    path = served.host.base(None).parts.path.resolve()
    assert len(list((path / "uploads-for").iterdir())) == len(NAMES)
    assert not (path / "uploads").exists()
    for number, caller in enumerate(callers.values()):
        assert set(await caller.documents()) == {f"doc{number}.md"}
        found = (await caller.send("POST", "/api/search", json={"query": BLIMP, "top_k": 100})).json()["hits"]
        assert {hit["document"] for hit in found} == {f"doc{number}.md"}


async def test_a_tenant_whose_name_no_folder_takes_is_told(serving: Serving) -> None:
    served = await serving(empty=True)
    caller = Caller(served, served.host.keys.add("long", "A" * 100))
    response = await caller.send("POST", "/api/documents", files=[("files", ("a.md", b"# A\n\na"))])
    assert (response.status_code, "too long" in response.json()["detail"]) == (422, True)
    assert not (served.host.base(None).parts.path / "uploads").exists()
