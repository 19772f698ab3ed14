"""What leaves the machine and what stays."""

from __future__ import annotations

import pytest

from routing.policy.build import leaves


@pytest.mark.parametrize(
    "name",
    [
        "extractive/default",
        "scripted/x",
        "vllm/qwen@http://localhost:8000",
        "vllm/qwen@http://127.0.0.1:8000/v1",
        "vllm/qwen@http://10.1.2.3",
        "openai-compatible/qwen@https://192.168.0.7:8443",
        "vllm/qwen@http://172.31.255.255",
        "vllm/qwen@http://[::1]:8000",
        "vllm/qwen@http://[fd00::5]:8000",
        "vllm/qwen@http://[::ffff:10.0.0.1]:8000",
    ],
)
def test_stays(name: str) -> None:
    assert leaves(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-5-mini",
        "anthropic/claude-haiku-4-5",
        "vllm/qwen@http://8.8.8.8",
        "vllm/qwen@http://172.32.0.1",
        "vllm/qwen@http://localhost.example.com",
        "vllm/qwen@http://gpu-box:8000",
        "vllm/qwen@http://127.1:8000",
        "vllm/qwen@http://[::ffff:8.8.8.8]:8000",
        "vllm/qwen@http://[2001:0:102:304::1]",
        "vllm/qwen@http://[bad",
        "myco/own",
        "no-slash",
    ],
)
def test_leaves(name: str) -> None:
    assert (leaves(name) or "").startswith("it is asked at ")
