import pytest

from inkling.core.errors import ConfigError
from inkling.core.scenario import Cleaning, Scenario
from inkling.events.schema import DatasetInfo, apply_info, checked_info, read_info


def test_what_the_data_says_takes_the_place_of_the_scenario():
    scenario = Scenario(name="retail", positive={"buy": 1.0}, signals={"view": 0.1}, seen="drop")
    info = DatasetInfo(name="x", positive={"purchase": 2.0}, seen="keep", time="order", cleaning={"min_value": 0})
    applied = apply_info(scenario, info)
    assert applied.positive == {"purchase": 2.0}
    assert (applied.seen, applied.time, applied.name) == ("keep", "order", "retail")
    assert applied.cleaning == Cleaning(min_value=0.0)
    assert applied.signals == {"view": 0.1}


def test_what_the_data_does_not_say_stays():
    scenario = Scenario(name="video", cleaning=Cleaning(min_user_events=3), context=("device",))
    assert apply_info(scenario, DatasetInfo()) == scenario


def test_an_unknown_rule_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown key 'duplicate'.*Did you mean 'duplicates'"):
        apply_info(Scenario(), DatasetInfo(cleaning={"duplicate": False}))
    (tmp_path / "dataset.toml").write_text("[cleaning]\nduplicate = false\n")
    with pytest.raises(ConfigError, match="unknown key 'duplicate'"):
        read_info(tmp_path)


@pytest.mark.parametrize("delimiter", ['"', ";;", "，", "\n"])
def test_a_delimiter_is_one_character(delimiter):
    with pytest.raises(ConfigError, match=r"delimiter is .*expected one character"):
        checked_info(DatasetInfo(delimiter=delimiter))


def test_without_a_file_nothing_is_said(tmp_path):
    assert read_info(tmp_path) == DatasetInfo()
