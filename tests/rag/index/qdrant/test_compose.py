from __future__ import annotations

from pathlib import Path

import yaml

PAGE = Path(__file__).parents[4] / "docs" / "stores.md"


def test_the_cluster_of_the_documentation_is_one() -> None:
    """Three nodes, each with a place of its own, and the first is whom the others ask to join."""
    blocks = PAGE.read_text(encoding="utf-8").split("```text\n")[1:]
    (text,) = [block.split("```")[0] for block in blocks if block.startswith("services:")]
    services = yaml.safe_load(text)["services"]
    assert list(services) == ["node-1", "node-2", "node-3"]
    for name, service in services.items():
        command = dict(zip(service["command"][1::2], service["command"][2::2], strict=True))
        assert command["--uri"] == f"http://{name}:6335"
        assert command.get("--bootstrap") == (None if name == "node-1" else "http://node-1:6335")
        assert service["environment"]["QDRANT__CLUSTER__ENABLED"] == "true"
        assert service["volumes"] == [f"{name}:/qdrant/storage"]
