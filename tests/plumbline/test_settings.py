"""Reading configuration: layers, and errors that name file, key, value and the nearest right one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from plumbline.errors import ConfigError
from plumbline.settings import Settings, packaged_configs, read_settings
from rag.settings import RagSettings


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults_in_code_and_in_the_file_are_the_same() -> None:
    assert read_settings(RagSettings) == RagSettings()


def test_the_promised_defaults() -> None:
    settings = read_settings(RagSettings)
    assert (settings.chunking.size, settings.chunking.overlap) == (512, 50)
    assert (settings.retrieval.mode, settings.retrieval.top_k, settings.retrieval.top_n) == ("hybrid", 10, 3)
    assert settings.generation.temperature == 0.1


@pytest.mark.parametrize("name", packaged_configs())
def test_every_shipped_configuration_is_valid(name: str) -> None:
    assert isinstance(read_settings(RagSettings, config=name), RagSettings)


def test_later_layers_win(tmp_path: Path) -> None:
    path = write(tmp_path, "retrieval:\n  top_k: 20\n  top_n: 5\nchunking:\n  size: 256\n")
    environ = {"PLUMBLINE__RETRIEVAL__TOP_N": "7", "PLUMBLINE__CHUNKING__SIZE": "128", "OTHER": "x"}
    settings = read_settings(
        RagSettings, config=path, environ=environ, overrides={"chunking.size": 64, "chunking.overlap": 8}
    )
    assert (settings.retrieval.top_k, settings.retrieval.top_n, settings.chunking.size) == (20, 7, 64)


def test_a_file_may_extend_another(tmp_path: Path) -> None:
    write(tmp_path, "retrieval: {top_k: 30}\nchunking: {size: 100}\n", "base.yaml")
    path = write(tmp_path, f"extends: {tmp_path / 'base.yaml'}\nchunking: {{size: 200}}\n")
    settings = read_settings(RagSettings, config=path)
    assert (settings.retrieval.top_k, settings.chunking.size) == (30, 200)


def test_files_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, f"extends: {tmp_path / 'b.yaml'}\n", "a.yaml")
    path = write(tmp_path, f"extends: {tmp_path / 'a.yaml'}\n", "b.yaml")
    with pytest.raises(ConfigError, match="circle"):
        read_settings(RagSettings, config=path)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("retrieval:\n  topk: 5\n", ["mine.yaml:2", "retrieval.topk", "5", "no such key", "Did you mean 'top_k'?"]),
        ("retreival:\n  top_k: 5\n", ["mine.yaml:1", "retreival", "Did you mean 'retrieval'?"]),
        (
            "routing:\n  prices:\n    acme/big: {inptu: 2}\n",
            ["mine.yaml:3", "routing.prices.acme/big.inptu", "no such key", "Did you mean 'input'?"],
        ),
        (
            "routing:\n  prices:\n    acme/big: {input: 2, tiers: {batch: {ouput: 1}}}\n",
            ["mine.yaml:3", "tiers.batch.ouput", "Did you mean 'output'?"],
        ),
        (
            "routing:\n  budgets:\n    - {nmae: house, limit: 2}\n",
            ["mine.yaml:2", "routing.budgets", "Did you mean 'name'?"],
        ),
        ("retrieval:\n  top_k: many\n", ["mine.yaml:2", "retrieval.top_k", "'many'", "integer"]),
        ("retrieval:\n  fusion: wieghted\n", ["mine.yaml:2", "'wieghted'", "Did you mean 'weighted'?"]),
        ("\nchunking:\n  size: 3\n", ["mine.yaml:3", "chunking.size", "3", "greater than or equal to 16"]),
        ("chunking: {size: 100, overlap: 80}\n", ["chunking", "overlap of 80", "more than half"]),
        ("retrieval: {top_k: 2, top_n: 5}\n", ["top_n (5) is larger than top_k (2)"]),
        ("retrieval: [1, 2]\n", ["mine.yaml:1", "retrieval"]),
        ("- a\n- b\n", ["mine.yaml", "mapping of sections"]),
        ("retrieval: {top_k: 5\n", ["mine.yaml", "not valid YAML"]),
        ("extends: 5\n", ["mine.yaml:1", "not a name"]),
    ],
)
def test_errors_name_place_key_value_and_the_nearest_right_one(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_settings(RagSettings, config=path)
    for part in parts:
        assert part in str(caught.value), f"{part!r} is missing in: {caught.value}"


def test_keys_that_do_not_fit_together_are_named_and_the_whole_section_is_not_printed(tmp_path: Path) -> None:
    path = write(tmp_path, "retrieval:\n  mode: dense\n  top_n: 50\n")
    with pytest.raises(ConfigError) as caught:
        read_settings(RagSettings, config=path)
    assert caught.value.message == (
        f"{path}:3: retrieval: top_n (50) is larger than top_k (10), from which it is taken."
    )
    with pytest.raises(ConfigError, match=r"^argument: retrieval: top_n \(3\) is larger than top_k \(1\)"):
        read_settings(RagSettings, overrides={"retrieval.top_k": 1})


def test_errors_in_the_environment_name_the_variable() -> None:
    with pytest.raises(ConfigError, match=r"environment variable PLUMBLINE__RETRIEVAL__TOP_K: retrieval\.top_k: 'x'"):
        read_settings(RagSettings, environ={"PLUMBLINE__RETRIEVAL__TOP_K": "x"})


def test_unknown_names_of_configurations_suggest_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'default'"):
        read_settings(RagSettings, config="defualt")
    with pytest.raises(ConfigError, match=r"no configuration file at nowhere\.yaml"):
        read_settings(RagSettings, config="nowhere.yaml")


def test_settings_cannot_be_changed_afterwards() -> None:
    class Small(Settings):
        mode: Literal["a", "b"] = "a"

    with pytest.raises(ValueError, match="frozen"):
        Small().mode = "b"
