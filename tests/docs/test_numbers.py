"""The measured table of both READMEs is what the demo wrote, in two languages."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("readme_numbers", ROOT / "scripts" / "readme_numbers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def model(name, value, *, paired=None):
    measured = {key: {"value": value} for key in ("ndcg@10", "recall@10")}
    speed = {"p50": 0.5, "p99": 1.0}
    groups = {"warm": {"n": 1011}}
    return {"name": name, "metrics": measured, "latency_ms": speed, "fit_s": 2.0, "groups": groups, "paired": paired}


def test_a_report_becomes_a_table(script, tmp_path, monkeypatch):
    gap = {"ratio": 1.1, "low": 0.01, "high": 0.03}
    report = {"protocol": {"seen": "keep"}, "models": [model("repeat", 0.35, paired=gap), model("default", 0.39)]}
    (tmp_path / "demo.json").write_text(json.dumps([report]))
    for name in script.WORDS:
        (tmp_path / name).write_text(f"before\n{script.START}\nold\n{script.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    script.main("demo.json")
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "old" not in page
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "1,011 people" in page
    assert "| **default** | 0.3900 | 0.3900 |  | 0.50 | 1.00 | 2.0 |" in page
    assert "| repeat | 0.3500 | 0.3500 | +10.0% [+0.0100, +0.0300] | 0.50 | 1.00 | 2.0 |" in page
    assert page.index("**default**") < page.index("repeat")


def test_both_languages_tell_the_same_numbers(script):
    found = []
    for name in script.WORDS:
        page = (ROOT / name).read_text(encoding="utf-8")
        marked = page[page.index(script.START) : page.index(script.END)]
        rows = [line for line in marked.splitlines() if line.startswith(("| **", "| ")) and not re.search("NDCG", line)]
        found.append([re.findall(r"\d+\.\d+", row) for row in rows])
    assert found[0] == found[1]
    assert len(found[0]) == 14
