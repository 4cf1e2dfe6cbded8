import pytest

from inkling.core.scenario import Scenario
from inkling.events.folder import load_folder
from inkling.events.validate import validate

NOW_MS = 1_700_000_000_000
ROWS = """user_id,item_id,timestamp,event,value
u,i,1600000000,buy,1
,i,1600000000,buy,1
u,,1600000000,buy,1
u,strange,1600000000,view,
u,i,1900000000,buy,0
u,i,0,buy,1
u,i,soon,buy,1
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "events.csv").write_text(ROWS)
    (tmp_path / "items.csv").write_text("item_id\ni\n")
    (tmp_path / "dataset.toml").write_text('time = "real"\n')
    return load_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "n", "level"),
    [
        ("rejects", 1, "warning"),
        ("missing_user", 1, "note"),
        ("missing_item", 1, "note"),
        ("positive_events", 5, "ok"),
        ("unweighted_events", 1, "note"),
        ("future_times", 1, "warning"),
        ("early_times", 1, "warning"),
        ("values", 1, "note"),
        ("unknown_items", 1, "note"),
    ],
)
def test_each_check_finds_its_row(folder, name, n, level):
    check = validate(folder, Scenario(positive={"buy": 1.0}), now_ms=NOW_MS).check(name)
    assert (check.n, check.level) == (n, level)
    assert check.example or name == "positive_events"
    assert 0 < check.share < 1


def test_without_positive_events_the_way_out_is_named(folder):
    report = validate(folder, Scenario(positive={"order": 1.0}), now_ms=NOW_MS)
    assert "the scenario counts order" in report.check("positive_events").message
    assert {check.name for check in report.warnings} == {"rejects", "positive_events", "future_times", "early_times"}


def test_an_empty_check_is_fine(tmp_path):
    (tmp_path / "events.csv").write_text("user_id,item_id,timestamp\nu,i,1\nu,i,2\n")
    report = validate(load_folder(tmp_path), Scenario(), now_ms=NOW_MS)
    assert report.warnings == ()
    with pytest.raises(KeyError, match="future_times"):
        report.check("future_times")
