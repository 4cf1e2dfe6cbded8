"""What is made up is as large as asked, and looks like a shop; what is measured on it is kept and judged."""

import json

import numpy as np
import pytest

from bench import als, scale
from bench._made import last_of, made


@pytest.fixture(scope="module")
def data():
    return made(400, 200, 8000)


class TestMade:
    def test_is_of_the_size_that_was_asked_for(self, data):
        assert (data.n_users, data.n_items) == (400, 200)
        assert len(data.interactions) == pytest.approx(8000, rel=0.1)
        assert (np.diff(data.interactions.ts) >= 0).all()
        assert data.interactions.item_rows.max() < 200

    def test_some_items_and_some_people_have_most_events(self, data):
        for rows, n in ((data.interactions.item_rows, 200), (data.interactions.user_rows, 400)):
            counts = np.sort(np.bincount(rows, minlength=n))[::-1]
            assert counts[: n // 5].sum() > 0.4 * counts.sum()
        assert np.bincount(data.interactions.user_rows, minlength=400).min() >= 2

    def test_people_have_tastes(self):
        data = made(300, 1000, 6000)
        shares = [
            np.bincount(data.interactions.item_rows[data.interactions.user_rows == person] // 100, minlength=10).max()
            / (data.interactions.user_rows == person).sum()
            for person in range(50)
        ]
        every = np.bincount(data.interactions.item_rows // 100, minlength=10).max() / len(data.interactions)
        assert np.mean(shares) > 1.5 * every

    def test_the_same_seed_makes_the_same(self):
        first, second, other = (made(50, 30, 500, seed=seed).interactions.item_rows for seed in (1, 1, 2))
        assert np.array_equal(first, second)
        assert len(first) != len(other) or not np.array_equal(first, other)

    def test_the_last_event_is_asked_for_and_not_learned(self, data):
        fold = last_of(data, 100)
        events = data.interactions
        assert len(fold.train.interactions) == len(events) - 100
        for person, row in enumerate(fold.user_rows[:20].tolist()):
            mine = events.item_rows[events.user_rows == row]
            assert fold.targets[person].tolist() == [mine[-1]]
            assert mine[-1] not in mine[:-1]


class TestScale:
    def test_a_fit_says_what_it_took(self):
        found = scale.fit("popular", 1e-4, {}, 1)
        assert found["people"] == found["items"] == 100
        assert found["peak_mb"] >= found["made_mb"] > 0
        assert found["answer_ms"] > 0

    def test_a_line_judges_the_peak(self):
        found = {"events": 10, "made_mb": 100.0, "fit_s": 1.0, "fit_cpu_s": 1.0, "state_mb": 1.0, "answer_ms": 1.0}
        assert scale.line("x", {**found, "peak_mb": 1024.0}).endswith("reached")
        assert scale.line("x", {**found, "peak_mb": 18 * 1024.0}).endswith("missed by 2.0 GiB")
        assert scale.line("x", {"failed": "out of memory"}).endswith("out of memory")

    def test_what_cannot_be_fitted_is_said(self, capsys):
        assert scale.main(["--fit", "popular", "--share", "0.0001", "--settings", '{"nothing": 1}']) == 0
        assert "unknown key 'nothing'" in json.loads(capsys.readouterr().out)["failed"]


def test_als_is_measured_without_a_peer(data):
    settings = {**als.SETTINGS, "factors": 4, "iterations": 3, "threads": 1}
    found = als.compare(last_of(data, 100), settings, "", rounds=1)
    assert found["ours"]["wall_s"] > 0
    assert 0 < found["ours"]["ndcg@10"] < 1
    assert "peer" not in found
    assert "ratio" not in found
