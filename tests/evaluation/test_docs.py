"""The page on evaluation says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from inkling.core.config import to_dict
from inkling.evaluation.contenders import TUNE_PEOPLE
from inkling.evaluation.models import BASELINES, GRIDS
from inkling.protocol.spec import SPLITS, ProtocolSpec

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
DAY_S = 86_400
PATTERN = "pqrst"


def test_every_python_snippet_runs(tmp_path, monkeypatch):
    days = ((user, step) for step in range(8) for user in range(20))
    rows = (f"u{user},{PATTERN[(user + step) % 5]},{1_600_000_000 + step * DAY_S + user}" for user, step in days)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "events.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(rows) + "\n")
    (tmp_path / "shop" / "dataset.toml").write_text('seen = "keep"\n')
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for snippet in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(snippet, "docs/evaluation.md", "exec"), names)
    assert 0 < names["value"].value < 1
    assert 0 < names["quality"] < 1
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert len(names["files"]) == 3


def test_every_split_baseline_and_grid_value_is_named():
    for name in SPLITS:
        assert f"| `{name}` |" in PAGE
    for name in BASELINES:
        assert name.removeprefix("popular") in PAGE
    assert f"{TUNE_PEOPLE:,} people" in PAGE
    (line,) = [line for line in PAGE.splitlines() if line.startswith("| `ease`")]
    assert {settings["l2"] for settings in GRIDS["ease"]} == {30.0, 100.0, 300.0, 1000.0}
    assert "30, 100, 300, 1000" in line


def test_the_command_names_settings_that_exist():
    settings = to_dict(ProtocolSpec())
    assert {"split", "seen", "ks", "cuts", "folds", "seeds"} <= set(settings)
