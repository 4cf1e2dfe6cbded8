"""A plan says what is tried on whom, and what contradicts itself is refused."""

from __future__ import annotations

import pytest

from inkling.core.errors import ConfigError
from inkling.experiments.plan import Plan, plan_row, read_plan

TWO = [{"name": "old"}, {"name": "new"}]


def test_a_file_and_plain_data_say_the_same(tmp_path):
    path = tmp_path / "experiments.toml"
    path.write_text(
        '[[experiments]]\nname = "order"\nshare = 0.2\n\n[[experiments.arms]]\nname = "old"\n\n'
        '[[experiments.arms]]\nname = "new"\nbundle = "b2"\nsettings = {n_candidates = 100}\n'
    )
    plan = read_plan(path)
    assert plan.experiments[0].arms[1].settings == {"n_candidates": 100}
    assert read_plan(plan_row(plan)) == plan
    assert read_plan(plan) is plan
    assert read_plan({}) == Plan()


@pytest.mark.parametrize(
    ("experiments", "message"),
    [
        ([{"name": "a", "arms": TWO}, {"name": "a", "arms": TWO}], "Two experiments are named 'a'"),
        ([{"name": "a", "arms": [TWO[0], TWO[0]]}], "Two arms of 'a' are named 'old'"),
        ([{"name": "a", "arms": []}], "experiments"),
        ([{"name": "a b", "arms": TWO}], "experiments"),
        ([{"name": "a", "arms": TWO, "share": 1.2}], "experiments"),
        ([{"name": "a", "arms": [{"name": "old", "weight": 0}]}], "experiments"),
        ([{"name": "a", "arms": TWO, "overrides": {"bob": "nwe"}}], "no arm 'nwe'. Did you mean 'new'"),
        ([{"name": "a", "arms": TWO, "begin": 0.5, "share": 0.6}], r"ends at 1\.1 of its layer"),
        (
            [
                {"name": "a", "arms": TWO, "layer": "l", "share": 0.5},
                {"name": "b", "arms": TWO, "layer": "l", "begin": 0.4, "share": 0.2},
            ],
            r"'a' and 'b' overlap in the layer 'l'\. Let 'b' begin at 0\.5",
        ),
        (
            [
                {"name": "a", "arms": TWO, "layer": "l", "share": 0.5},
                {"name": "b", "arms": TWO, "layer": "l", "begin": 0.5, "share": 0.2, "by": "session"},
            ],
            "by persons and by sessions",
        ),
        (
            [{"name": n, "arms": [{"name": "old"}, {"name": "new", "bundle": n}]} for n in "ab"],
            "both change bundle, and one person may be in both. Put them into one layer",
        ),
        (
            [{"name": n, "arms": [{"name": "new", "settings": {"n_candidates": 5}}]} for n in "ab"],
            "both change settings.n_candidates",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(experiments, message):
    with pytest.raises(ConfigError, match=message):
        read_plan({"experiments": experiments})


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="no file of experiments"):
        read_plan(tmp_path / "none.toml")
