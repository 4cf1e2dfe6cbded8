"""Sets that are tables rather than logs, against the counts that their page states."""

import pytest

from inkling.core.errors import DataError, NotFoundError
from inkling.datasets import load_tables, table_names


def test_their_names():
    assert table_names() == ["mams", "open-bandit", "waimai"]


def test_sentences_with_aspects(data_root):
    tables = load_tables("mams", data_root)
    train = {name: table.filter(table["part"] == "train") for name, table in tables.items()}
    assert train["terms"].height == 11_186
    first = train["terms"].row(0, named=True)
    assert first["text"][first["begin"] : first["end"]] == first["term"] == "decor"
    assert set(tables["terms"]["polarity"]) == {"positive", "neutral", "negative"}
    assert train["terms"]["sentence"].n_unique() == 4_297
    assert train["categories"]["sentence"].n_unique() == 3_149
    assert set(tables["terms"]["part"]) == set(tables["categories"]["part"]) == {"train", "val", "test"}


def test_chinese_reviews(data_root):
    reviews = load_tables("waimai", data_root)["reviews"]
    assert reviews.height == 11_987
    assert set(reviews["sentiment"]) == {0, 1}


def test_slates_with_propensities(data_root):
    tables = load_tables("open-bandit", data_root)
    assert len(tables) == 8
    assert all(
        tables[f"{policy}-{who}/log"].height == 10_000 for policy in ("random", "bts") for who in ("men", "women")
    )
    assert {tables[f"random-{who}/items"].height for who in ("men", "women")} == {34, 46}


def test_an_unknown_one_and_a_missing_folder(tmp_path):
    with pytest.raises(NotFoundError, match="Did you mean 'waimai'"):
        load_tables("waimay", tmp_path)
    with pytest.raises(DataError, match="holds no data set 'mams'"):
        load_tables("mams", tmp_path)


def test_a_broken_file_says_which(tmp_path):
    (tmp_path / "mams" / "MAMS-ATSA").mkdir(parents=True)
    (tmp_path / "mams" / "MAMS-ATSA" / "train.xml").write_text("<sentences><sentence>")
    with pytest.raises(DataError, match=r"train.xml cannot be read"):
        load_tables("mams", tmp_path)
