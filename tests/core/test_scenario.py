"""A scenario is settings: what it says is kept, what it cannot mean is refused."""

from __future__ import annotations

import pytest

from inkling.core.config import parse, to_dict
from inkling.core.errors import ConfigError
from inkling.core.scenario import Scenario


def test_a_scenario_survives_a_round_trip():
    said = {"name": "shop", "positive": {"purchase": 2}, "seen": "keep", "cleaning": {"min_user_events": 3}}
    scenario = parse(Scenario, said)
    assert scenario.positive == {"purchase": 2.0}
    assert scenario.cleaning.min_user_events == 3
    assert parse(Scenario, to_dict(scenario)) == scenario


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"seen": "maybe"}, "seen"),
        ({"cleaning": {"min_users": 3}}, r"settings\.cleaning: unknown key 'min_users'.*min_user_events"),
        ({"postive": {}}, "Did you mean 'positive'"),
    ],
)
def test_what_a_scenario_cannot_mean_is_refused(settings, told):
    with pytest.raises(ConfigError, match=told):
        parse(Scenario, settings)
