"""What a suite file may say, what is added to it, and what its fingerprint depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.suite import Suite, load_suite
from plumbline.errors import ConfigError, InputError, PlumblineError


def load(shop: Path, change: str = "", **overrides: object) -> Suite:
    path = shop / "suite.yaml"
    if change:
        old, _, new = change.partition(" → ")
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
    return load_suite(path, home=shop / "home", overrides=overrides, environ={})


def test_baselines_are_added_once(shop: Path) -> None:
    suite = load(shop)
    assert [config.name for config in suite.configs] == ["default", "lexical and more", "bm25"]
    assert (suite.own, suite.baseline, suite.aliases) == (
        ("default", "lexical and more"),
        "default",
        {"extractive": "default"},
    )
    modes = {config.name: config.settings.retrieval.mode for config in suite.configs}
    assert modes == {"default": "hybrid", "lexical and more": "lexical", "bm25": "lexical"}


def test_a_single_configuration_is_compared_with_bm25(shop: Path) -> None:
    assert load(shop, "  lexical and more: {retrieval.mode: lexical, retrieval.top_n: 2}\n → ").baseline == "bm25"


def test_a_single_configuration_that_is_bm25_is_compared_with_the_default(shop: Path) -> None:
    both = "  default: {}\n  lexical and more: {retrieval.mode: lexical, retrieval.top_n: 2}\n"
    suite = load(shop, f"{both} →   mine: {{retrieval.mode: lexical}}\n")
    assert (suite.own, suite.baseline, suite.aliases) == (("mine",), "extractive", {"bm25": "mine"})


def test_a_baseline_may_be_named_by_its_alias(shop: Path) -> None:
    assert load(shop, "name: shop → baseline: extractive").baseline == "default"


def test_evals_do_without_the_fallback_unless_a_configuration_names_one(shop: Path) -> None:
    suite = load(shop, "default: {} → default: {routing.fallback: extractive/default}")
    fallbacks = {config.name: config.settings.routing.fallback for config in suite.configs}
    assert fallbacks["default"] == "extractive/default"
    assert fallbacks["lexical and more"] == "none"


def test_configurations_may_be_files_beside_the_suite(shop: Path) -> None:
    (shop / "mine.yaml").write_text("retrieval: {top_k: 17}\n", encoding="utf-8")
    suite = load(shop, "default: {} → default: {config: mine.yaml, settings: {retrieval.top_n: 4}}")
    assert suite.configs[0].settings.retrieval.top_k == 17
    assert suite.configs[0].settings.retrieval.top_n == 4


def test_overrides_and_limit(shop: Path) -> None:
    suite = load(shop, seed=5, limit=2)
    assert (suite.seed, len(suite.dataset.examples)) == (5, 2)


def test_the_fingerprint_tells_what_changed(shop: Path) -> None:
    before = load(shop).fingerprint()
    assert load(shop).fingerprint() == before
    assert {"numpy", "plumbline", "python", "scipy"} <= set(before["versions"])
    (shop / "corpus" / "shipping.txt").write_text("Other.", encoding="utf-8")
    after = load(shop, "top_n: 2 → top_n: 3").fingerprint()
    assert after["corpus"] != before["corpus"]
    assert after["data"] == before["data"]
    changed = {name for name, hash_ in after["configs"].items() if before["configs"][name] != hash_}
    assert changed == {"lexical and more"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("correct, → corect,", ConfigError, "suite.yaml: primary: 'correct' is not among the metrics"),
        ("recall@1 → recal@1", ConfigError, "There is no metric 'recal@1'. Did you mean 'recall@1'?"),
        ("data: questions.jsonl\n → ", ConfigError, "suite.yaml: 'data' is missing"),
        ("questions.jsonl → nothing.jsonl", InputError, "There is no file"),
        ("corpus: corpus\n → ", ConfigError, "corpus: say which documents the questions are about"),
        ("corpus: corpus → corpus: korpus", InputError, "There is no file or folder"),
        ("retrieval.top_n: 2 → retrieval.topn: 2", ConfigError, "retrieval.topn"),
        ("default: {} → bm25: {}", ConfigError, "'bm25' is always added"),
        ("default: {} → default: openay", ConfigError, "There is no configuration named 'openay'"),
        ("recall@1 → recall@20", ConfigError, "the first 20 hits, and configuration 'default' retrieves 10"),
        ("name: shop → baseline: nobody", ConfigError, "baseline: there is no configuration 'nobody'"),
        ("name: shop → colour: red", ConfigError, "there is no such key"),
        ("data: questions.jsonl → data: {path: questions.jsonl, format: xml}", ConfigError, "format"),
    ],
)
def test_mistakes(shop: Path, change: str, error: type[PlumblineError], message: str) -> None:
    with pytest.raises(error) as caught:
        load(shop, change)
    assert message in str(caught.value)


def test_baselines_retrieve_as_deep_as_the_metrics_look(shop: Path) -> None:
    load(shop, "top_n: 2 → top_n: 2, retrieval.top_k: 20")
    suite = load(shop, "default: {} → default: {retrieval.top_k: 50}", metrics=["correct", "recall@20"])
    depths = {config.name: config.settings.retrieval.top_k for config in suite.configs}
    assert depths == {"default": 50, "lexical and more": 20, "bm25": 20, "extractive": 20}
