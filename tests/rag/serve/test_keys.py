"""Keys: shown once, stored as hashes, checked on every request, revoked at once."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.errors import InputError
from rag.serve.guard import is_loopback
from rag.serve.keys import KeyRing
from tests.rag.serve.conftest import QUESTION, Serving


@pytest.fixture
def ring(tmp_path: Path):
    opened = KeyRing(tmp_path / "home.db")
    yield opened
    opened.close()


async def test_a_key_opens_what_it_was_made_for(ring: KeyRing) -> None:
    token = ring.add("shop", "acme")
    assert token.startswith("plk_")
    assert len(token) > 50
    key = ring.check(token)
    assert key is not None
    assert (key.name, key.tenant, key.revoked) == ("shop", "acme", None)
    assert ring.all()[0].last_used is None
    await ring.note_use(key)
    assert ring.all()[0].last_used == datetime.now(UTC).date().isoformat()


def test_a_key_has_groups(ring: KeyRing) -> None:
    token = ring.add("shop", " acme ", ["legal", "hr", "hr"])
    key = ring.check(token)
    assert key is not None
    assert (key.tenant, key.groups) == ("acme", ("hr", "legal"))
    assert [each.groups for each in ring.all()] == [("hr", "legal")]


def test_keys_of_an_older_version_have_no_groups(ring: KeyRing, tmp_path: Path) -> None:
    token = ring.add("shop", "acme")
    ring.close()
    with sqlite3.connect(tmp_path / "home.db") as connection:
        connection.execute("ALTER TABLE keys DROP COLUMN groups")
        connection.execute("UPDATE components SET version = 1 WHERE name = 'keys'")
    connection.close()
    for _ in range(2):
        again = KeyRing(tmp_path / "home.db")
        key = again.check(token)
        again.close()
        assert key is not None
        assert (key.name, key.tenant, key.groups) == ("shop", "acme", ())


@pytest.mark.parametrize("name", ["", " ", "a" * 101, "a\nb", "a\u200bb", "\u202eacme", "a\udc80"])
def test_tenants_and_groups_are_names_that_can_be_seen(ring: KeyRing, name: str) -> None:
    for tenant, groups, what in ((name, [], "tenant"), ("acme", [name], "group")):
        with pytest.raises(InputError, match=f"A {what}'s name"):
            ring.add("shop", tenant, groups)
    assert ring.all() == []


def test_only_a_hash_is_stored(ring: KeyRing, tmp_path: Path) -> None:
    token = ring.add("shop")
    secret = token.split("_", 2)[2]
    ring.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in stored
    with sqlite3.connect(tmp_path / "home.db") as connection:
        (row,) = connection.execute("SELECT hash FROM keys").fetchall()
    connection.close()
    assert len(row[0]) == 64


@pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key + "a", lambda key: "", lambda key: "plk_"])
def test_anything_else_opens_nothing(ring: KeyRing, change) -> None:
    assert ring.check(change(ring.add("shop"))) is None


def test_ids_and_secrets_of_two_keys_do_not_mix(ring: KeyRing) -> None:
    first, second = ring.add("one"), ring.add("two")
    mixed = "_".join([*first.split("_")[:2], second.split("_", 2)[2]])
    assert ring.check(mixed) is None


def test_a_revoked_key_is_dead_and_its_name_is_free(ring: KeyRing) -> None:
    token = ring.add("shop")
    with pytest.raises(InputError, match="already"):
        ring.add("shop")
    ring.revoke("shop")
    assert ring.check(token) is None
    assert ring.any(), "revoking the last key must not open the server"
    again = ring.add("shop")
    by_id = next(key.id for key in ring.all() if key.revoked is None)
    ring.revoke(by_id)
    assert ring.check(again) is None
    with pytest.raises(InputError, match="revoked already"):
        ring.revoke("shop")
    with pytest.raises(InputError, match="does not exist"):
        ring.revoke("other")


@pytest.mark.parametrize("name", ["", "  ", "a" * 101])
def test_a_key_needs_a_name(ring: KeyRing, name: str) -> None:
    with pytest.raises(InputError, match="1 to 100"):
        ring.add(name)


def test_another_process_sees_a_revocation(ring: KeyRing, tmp_path: Path) -> None:
    token = ring.add("shop")
    assert ring.check(token) is not None
    other = KeyRing(tmp_path / "home.db")
    other.revoke("shop")
    other.close()
    assert ring.check(token) is None


ROUTES = [
    ("GET", "/api/kbs"),
    ("POST", "/api/ask"),
    ("GET", "/api/documents"),
    ("DELETE", "/api/documents/x"),
    ("POST", "/api/documents"),
    ("GET", "/api/openapi.json"),
    ("GET", "/v1/models"),
    ("POST", "/v1/chat/completions"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_with_a_key_made_every_route_needs_one(serving: Serving, method: str, path: str) -> None:
    served = await serving()
    key = served.host.keys.add("shop")
    for header in ({}, {"authorization": "Bearer plk_1_2"}, {"authorization": f"Basic {key}"}, {"x-api-key": key}):
        response = await served.client.request(method, path, headers=header)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert key not in response.text
    assert served.host.keys.all()[0].last_used is None
    allowed = await served.client.request(method, path, headers={"authorization": f"Bearer {key}"})
    assert allowed.status_code != 401
    assert served.host.keys.all()[0].last_used is not None


async def test_what_is_open_stays_open(serving: Serving) -> None:
    served = await serving()
    served.host.keys.add("shop")
    for path in ("/", "/health", "/ready", "/metrics", "/page/api.js"):
        assert (await served.client.get(path)).status_code in (200, 503)


async def test_metrics_need_a_key_where_other_machines_reach_them(serving: Serving) -> None:
    served = await serving(loopback=False)
    key = served.host.keys.add("shop")
    assert (await served.client.get("/metrics")).status_code == 401
    assert (await served.client.get("/metrics", headers={"authorization": f"Bearer {key}"})).status_code == 200


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"host": "127.0.0.1:8000"}, True),
        ({"host": "[::1]:8000"}, True),
        ({"host": "evil.example"}, False),
        ({"host": "localhost.evil.example"}, False),
        ({"host": "127.0.0.1.evil.example"}, False),
        ({"host": "[::1"}, False),
        ({"host": ""}, False),
        ({"origin": "http://localhost"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://localhost:3000"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://["}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
    ],
)
async def test_without_keys_no_other_page_and_no_other_host_name_may_ask(
    serving: Serving, headers: dict[str, str], allowed: bool
) -> None:
    served = await serving()
    response = await served.client.post("/api/ask", json={"question": QUESTION}, headers=headers)
    assert response.status_code == (200 if allowed else 403)
    if not allowed:
        assert response.json()["type"] == "urn:plumbline:problem:forbidden"
        assert "text" not in response.json()


async def test_metrics_are_for_this_machine(serving: Serving) -> None:
    served = await serving()
    assert (await served.client.get("/metrics", headers={"host": "evil.example"})).status_code == 403
    assert (await served.client.get("/health", headers={"host": "evil.example"})).status_code == 200


async def test_with_a_key_any_host_name_will_do(serving: Serving) -> None:
    served = await serving()
    headers = {"authorization": f"Bearer {served.host.keys.add('shop')}", "host": "rag.example"}
    response = await served.client.post("/api/ask", json={"question": QUESTION}, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("0.0.0.0", False), ("x", False)],
)
def test_which_hosts_are_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here
