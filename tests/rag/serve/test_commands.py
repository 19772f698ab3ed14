"""`rag keys` and what `rag serve` says about itself."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plumbline.cli import build_app, exit_code
from plumbline.errors import InputError, PlumblineError
from rag.serve.keys import KeyRing


@pytest.fixture
def rag(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLUMBLINE_HOME", str(home))
    runner = CliRunner()

    def run(*arguments: str):
        return runner.invoke(build_app(), list(arguments), catch_exceptions=False)

    return run


def test_a_key_is_shown_once_and_listed_without_its_secret(rag, home: Path) -> None:
    assert "no keys" in rag("keys", "list").stdout
    made = rag("keys", "add", "shop", "--tenant", "acme")
    token = made.stdout.strip()
    assert token.startswith("plk_")
    assert "only its hash" in made.stderr
    listed = rag("keys", "list").stdout
    assert token not in listed
    assert token.split("_", 2)[2] not in listed
    for word in ("shop", "tenant acme", "used never", token.split("_")[1]):
        assert word in listed
    ring = KeyRing(home / "home.db")
    assert ring.check(token) is not None
    ring.close()
    assert "Revoked shop" in rag("keys", "revoke", "shop").stdout
    assert "revoked 2" in rag("keys", "list").stdout


def test_a_key_is_listed_with_its_groups(rag) -> None:
    rag("keys", "add", "desk", "--group", "hr", "--group", "legal")
    rag("keys", "add", "plain")
    desk, plain = rag("keys", "list").stdout.splitlines()
    assert "desk  no tenant  groups hr, legal  made" in desk
    assert "plain  no tenant  made" in plain


def test_a_key_that_does_not_exist_cannot_be_revoked(rag) -> None:
    with pytest.raises(InputError, match="does not exist"):
        rag("keys", "revoke", "nobody")


def test_help_loads_no_server() -> None:
    code = (
        "import sys; from plumbline.cli import build_app; build_app(); "
        "print([name for name in ('fastapi', 'granian', 'starlette', 'sqlalchemy', 'pydantic') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_what_serve_can_do_is_in_its_help(rag) -> None:
    shown = rag("serve", "--help").stdout
    for option in ("--kb", "--host", "--port", "--no-auth", "--log", "--model", "--set"):
        assert option in shown


def test_a_missing_extra_is_named(rag, monkeypatch: pytest.MonkeyPatch) -> None:
    from plumbline.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(MissingExtraError, match=r"plumbline\[serve\]"):
        rag("serve")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--host", "0.0.0.0"], 2, ["0.0.0.0", "rag keys add", "--no-auth"]),
        (["--host", "203.0.113.7"], 2, ["203.0.113.7", "--host"]),
        (["--host", "no such host"], 2, ["no such host"]),
        (["--model", "anthropic/claude-haiku-4-5"], 4, ["ANTHROPIC_API_KEY"]),
        (["--set", "serve.models=[openai/nope]"], 2, ["serve.models", "openai/nope"]),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_served(
    rag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: list[str]
) -> None:
    served: list[object] = []

    async def never(host: object, *_: object, **more: object) -> None:
        served.append(host)

    monkeypatch.setattr("rag.serve.server.serve", never)
    monkeypatch.setattr("rag.serve.server.start_logging", lambda *, requests: None)  # it is the process's
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with pytest.raises(PlumblineError) as caught:
        rag("serve", "--kb", str(tmp_path / "kb"), "--port", port, *arguments)
    assert exit_code(caught.value) == code
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}"
    assert not served
    rag("serve", "--kb", str(tmp_path / "kb"), "--port", port)
    assert len(served) == 1
