"""The wheel holds what it should, and both it and an editable install work from an empty folder, data included."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
COPIES: dict[str, str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"].get("force-include", {})
USE = """
import json, plumbline, prompts
from pathlib import Path
from plumbline.prompts import load_prompt
from plumbline.settings import packaged_configs
from rag.config import read_rag_settings
print(json.dumps({
    "at": [str(Path(module.__file__).parents[1]) for module in (plumbline, prompts)],
    "refusal": "I don't have enough information." in load_prompt("answer").body,
    "configs": [read_rag_settings(name, environ={}).generation.model for name in packaged_configs()] != [],
}))
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Nothing of the machine's own paths or index: everything needed is here already.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PIP_NO_INDEX": "1"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    return next(folder.glob("*.whl"))


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(f"plumbline-{PROJECT['version']}.dist-info/METADATA"))


def test_wheel_holds_the_packages_and_their_data(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in held} == {
        *("plumbline", "routing", "rag", "evals", "prompts", "configs"),
        f"plumbline-{PROJECT['version']}.dist-info",
    }
    folders = ("plumbline", "routing", "rag", "evals", "prompts", "configs")
    ours = {str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()}
    ours |= {name for source, target in COPIES.items() for name in copied(ROOT / source, target)}
    assert {name for name in ours if "__pycache__" not in name} == {name for name in held if ".dist-info/" not in name}
    assert {f"{package}/py.typed" for package in ("plumbline", "routing", "rag", "evals")} <= held
    licences = {name.split("/")[-1] for name in held if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def copied(source: Path, target: str) -> set[str]:
    """The names that the wheel gives to a file or folder which is copied into a package."""
    if source.is_file():
        return {target}
    return {f"{target}/{path.relative_to(source)}" for path in source.rglob("*") if path.is_file()}


def test_metadata(wheel: Path) -> None:
    facts = metadata(wheel)
    assert (facts["Name"], facts["Version"]) == ("plumbline", PROJECT["version"])
    assert facts["License-Expression"] == "Apache-2.0"
    base = [line for line in facts.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert 0 < len(base) <= 16
    assert not [line for line in base if line.startswith(("torch", "transformers", "sentence"))]


def test_all_is_every_extra_but_vllm_and_the_tools() -> None:
    extras = dict(PROJECT["optional-dependencies"])
    (line,) = extras.pop("all")
    assert set(line.removeprefix("plumbline[").removesuffix("]").split(",")) == set(extras) - {"vllm", "dev"}


def test_constraints_are_pins_of_what_is_installed() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    names = [line.partition("==")[0] for line in lines]
    assert all("==" in line and "/" not in line and "@" not in line for line in lines)
    assert lines == sorted(set(lines))
    extras = PROJECT["optional-dependencies"]
    direct = [
        *PROJECT["dependencies"],
        *extras["dev"],
        *extras["openai"],
        *extras["anthropic"],
        *extras["eval"],
        *extras["serve"],
    ]
    assert {_name(line) for line in direct} <= set(names)


def _name(requirement: str) -> str:
    return requirement.replace("[", ">").replace(";", ">").split(">")[0].strip().lower()


@pytest.mark.parametrize("way", ["wheel", "editable"])
def test_install_works_away_from_the_repository(way: str, wheel: Path, tmp_path: Path) -> None:
    """A new environment that sees the packages installed here, so that no index is needed, but not this repository."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "env")}))
    (site / "others.pth").write_text(
        sysconfig.get_path("purelib"), encoding="utf-8"
    )  # .pth files there are not followed
    what = ["--editable", ROOT] if way == "editable" else [wheel]
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed", *what]
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, *install)

    used = run(python, "-W", "error", "-c", USE, cwd=tmp_path)
    at = str(ROOT if way == "editable" else site)
    assert used.strip() == f'{{"at": ["{at}", "{at}"], "refusal": true, "configs": true}}'
    assert run(tmp_path / "env" / "bin" / "rag", "--version", cwd=tmp_path).strip() == f"plumbline {PROJECT['version']}"


def test_entry_point() -> None:
    (command,) = [entry for entry in importlib.metadata.distribution("plumbline").entry_points if entry.name == "rag"]
    assert callable(command.load())
