import polars as pl
import pytest

from inkling.core.errors import DataError, NotFoundError
from inkling.core.scenario import Scenario
from inkling.datasets import info, load, names
from inkling.events import apply_info, build_dataset, clean_items, clean_part, clean_rows

EXPECTED = {
    "beauty": (198_502, 22_363, 12_101),
    "insurance": (61_740, 44_434, 16),
    "lastfm": (92_834, 1_892, 17_632),
    "mind-fragment": (335_833, 4_637, 22_592),
    "movielens-small": (101_300, 671, 9_125),
    "musical-reviews": (10_261, 1_429, 900),
    "online-retail": (541_909, 4_372, 4_070),
    "questions": (4_653, 804, 1_042),
    "retailrocket-sample": (92_487, 3_431, 8_885),
    "smarthome": (44_230, 4_423, 62),
}


@pytest.fixture(scope="module")
def retail():
    return load("online-retail")


def test_every_data_set_is_expected_here():
    assert names() == sorted(EXPECTED)


def test_the_bundled_set_is_raw(retail):
    frame = retail.events.frame
    assert frame.height == 541_909
    assert frame["user_id"].null_count() == 135_080
    assert frame["event"].value_counts(sort=True).rows() == [("purchase", 531_285), ("cancel", 10_624)]
    assert (frame["item_id"] == "POST").sum() > 1000
    assert frame.height - frame.n_unique() > 5000
    assert retail.report.n_rejects == 0


def test_the_bundled_set_names_its_authors(retail):
    assert "Chen" in retail.info.attribution
    assert retail.info.licence == "CC BY 4.0"


def test_cleaning_the_bundled_set(retail):
    scenario = apply_info(Scenario(), retail.info)
    rows, report = clean_rows(retail.events, scenario)
    assert report.removed("drop_missing_user") == 135_080
    ids = set(rows.frame["item_id"].to_list())
    assert {"85123A", "10002", "15056BL", "79323P"} <= ids
    codes = {"POST", "DOT", "M", "m", "C2", "D", "S", "BANK CHARGES", "AMAZONFEE", "PADS", "CRUK", "B", "gift_0001_20"}
    assert not codes & ids
    part, report = clean_part(rows, scenario)
    assert report.removed("duplicates") > 5000
    assert report.removed("cancellations") > 2000
    assert report.changed("cancellations") > 2000
    items, _ = clean_items(retail.items, scenario)
    data = build_dataset(part, scenario, items=items)
    assert data.interactions.positive.sum() == (part.frame["event"] == "purchase").sum()
    assert "POST" not in data.item_ids
    assert data.interactions.context_values["country"][-1] == "Unspecified"


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_set_loads_with_what_is_known_of_it(name, data_root):
    folder = load(name, root=None if name == "online-retail" else data_root)
    frame = folder.events.frame
    found = (frame.height, frame["user_id"].drop_nulls().n_unique(), frame["item_id"].n_unique())
    assert found == EXPECTED[name]
    assert folder.info.name == name
    assert folder.info.time == info(name).time
    assert folder.report.guesses == ()
    scenario = apply_info(Scenario(), folder.info)
    events, _ = clean_part(clean_rows(folder.events, scenario)[0], scenario)
    data = build_dataset(events, scenario, items=folder.items, links=folder.links)
    assert data.interactions.positive.sum() > 0
    assert len(data.fingerprint) == 64


def test_slates_become_events(data_root):
    folder = load("mind-fragment", root=data_root)
    frame = folder.events.frame
    assert set(frame["event"].unique()) == {"read", "impression", "click"}
    assert frame["timestamp"].is_sorted()
    slate = frame.filter(pl.col("session_id") == "58376")
    shown = slate.filter(pl.col("event") == "impression")["item_id"].to_list()
    assert set(slate.filter(pl.col("event") == "click")["item_id"]) <= set(shown)
    raw = pl.read_parquet(data_root / "mind-fragment" / "impressions.parquet")
    assert (frame["event"] == "click").sum() == raw["clicked"].list.sum().sum()
    assert (frame["event"] == "impression").sum() == raw["shown"].list.len().sum()


def test_asking_is_no_positive(data_root):
    folder = load("questions", root=data_root)
    scenario = apply_info(Scenario(), folder.info)
    data = build_dataset(folder.events, scenario)
    asks = data.interactions.events == data.interactions.event_names.index("ask")
    assert asks.sum() == 1040
    assert not data.interactions.positive[asks].any()


def test_an_unknown_name_is_an_error():
    with pytest.raises(NotFoundError, match=r"no data set named 'beuty'.*Did you mean 'beauty'"):
        load("beuty")


def test_a_set_that_is_not_bundled_needs_a_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("INKLING_DATA", raising=False)
    with pytest.raises(DataError, match=r"'beauty' is not bundled.*set INKLING_DATA"):
        load("beauty")
    with pytest.raises(DataError, match=r"holds no data set 'beauty'"):
        load("beauty", root=tmp_path)
    monkeypatch.setenv("INKLING_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"holds no data set 'beauty'"):
        load("beauty")


def test_slates_without_a_column_are_an_error(tmp_path):
    (tmp_path / "mind-fragment").mkdir()
    pl.DataFrame({"user_id": ["u"]}).write_parquet(tmp_path / "mind-fragment" / "impressions.parquet")
    with pytest.raises(DataError, match=r"has no column .*'shown'"):
        load("mind-fragment", root=tmp_path)
