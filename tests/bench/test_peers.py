"""Peers answer over a pipe, under the same rules as ours; an environment that cannot be built says so."""

from __future__ import annotations

import importlib.util
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.peers import _serve, _venv, _wire
from bench.peers._contender import PeerContender, PeerError, peer
from bench.peers._known import KNOWN, Known
from inkling.core.run import Run
from inkling.evaluation.contenders import Baseline
from inkling.testing import worlds

ROOT = Path(__file__).parents[2]
TOY = Known("tests.bench.circle_peer", "popular", ({"sign": -1}, {"sign": 1}))


def toy_peer(*grid, **more):
    known = Known(TOY.environment, TOY.model, grid or TOY.grid)
    return PeerContender("toy", known, known.grid, interpreter=lambda name: Path(sys.executable), **more)


class TestWire:
    def test_what_is_sent_arrives(self):
        pipe = io.BytesIO()
        _wire.send(pipe, {"do": "fit"}, {"a": np.arange(3), "b": np.array([[1.5]])})
        _wire.send(pipe, {"é": 1}, {})
        pipe.seek(0)
        said, arrays = _wire.receive(pipe)
        assert said == {"do": "fit"}
        assert arrays["a"].tolist() == [0, 1, 2]
        assert arrays["b"].dtype == np.float64
        assert _wire.receive(pipe) == ({"é": 1}, {})
        assert _wire.receive(pipe) is None

    def test_what_runs_in_there_needs_numpy_alone(self):
        seen = "import sys, bench.peers._serve; print(sorted({'inkling', 'polars', 'scipy'} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", seen], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


def question(offsets, items, *, barred=None, allowed=8, k=2, weights=None):
    """A question for people who are not known, over eight items of which the first ``allowed`` are open."""
    n, items = len(offsets) - 1, np.array(items, dtype=np.int32)
    return _serve.Question(
        offsets=np.array(offsets),
        items=items,
        ts=np.zeros(len(items), dtype=np.int64),
        weights=np.ones(len(items), dtype=np.float32) if weights is None else np.array(weights, dtype=np.float32),
        users=np.full(n, -1),
        allowed=np.arange(8) < allowed,
        barred=barred or (np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int32)),
        k=k,
        drop=barred is not None,
    )


class TestServe:
    def test_what_may_not_be_said_is_dropped_and_lists_are_padded(self):
        asked = question([0, 2, 2], [0, 1], barred=(np.array([0, 2, 2]), np.array([0, 1])), allowed=4)
        rows, scores = _serve.trimmed(asked, np.array([[0, 2, 5, 3], [7, 6, -1, 1]]), np.array([[4.0, 3, 2, 1]] * 2))
        assert rows.tolist() == [[2, 3], [1, -1]]
        assert scores[0].tolist() == [3.0, 1.0]
        assert np.isnan(scores[1, 1])

    def test_scores_that_are_no_numbers_are_no_answers(self):
        rows, _ = _serve.trimmed(question([0, 1], [0]), np.array([[3, 4, 5]]), np.array([[np.nan, -np.inf, 1.0]]))
        assert rows.tolist() == [[5, -1]]

    def test_likes_are_the_positive_events_added_up(self):
        liked = question([0, 3, 4], [1, 1, 2, 5], weights=[1, 2, 0, 1]).liked
        assert liked.toarray()[0].tolist() == [0, 3, 0, 0, 0, 0, 0, 0]
        assert liked.toarray()[1, 5] == 1

    def test_libraries_are_asked_for_more_where_they_cannot_leave_out(self):
        known = np.ones(8, dtype=np.bool_)
        seen = question([0, 3], [1, 2, 3], barred=(np.array([0, 3]), np.array([1, 2, 3])), weights=[1, 0, 0], allowed=6)
        assert seen.spare(known) == 2 + 2
        assert question([0, 1], [1]).spare(known) == 0


@pytest.fixture
def parts():
    return worlds.shop(), Run(seed=3)


class TestContender:
    def test_it_answers_as_ours_do(self, parts):
        data, run = parts
        model = toy_peer()
        try:
            fitted = model.fit(data, {"sign": 1}, run)
            query = data.query(np.arange(5, dtype=np.int32))
            answer = fitted.recommend(query, 3)
            popular = np.argsort(-np.bincount(data.interactions.positives().item_rows), kind="stable")[:3]
            assert answer.rows_of(0).tolist() == popular.tolist()
            assert len(answer) == 5
            assert model.told["seed"] == 3
            assert model.fit_s(1) == model.told["fit_s"]
            fitted.recommend(query.take([0]), 3)
            fitted.recommend(query.take([1]), 3)
            assert model.latency.n == 1
            assert model.latency.p50 >= 0
        finally:
            model.close()

    def test_what_a_library_says_when_it_fails_is_told(self, parts):
        data, run = parts
        model = toy_peer({"fail": 1})
        with pytest.raises(PeerError, match="ValueError: no such matrix"):
            model.fit(data, {"fail": 1}, run)
        model.close()

    def test_a_process_that_ends_is_told_with_its_last_words(self, parts):
        data, run = parts
        model = toy_peer({"die": 1})
        with pytest.raises(PeerError, match="a library talks to standard output"):
            model.fit(data, {"die": 1}, run)
        model.close()

    def test_after_it_was_closed_it_does_not_answer(self, parts):
        data, run = parts
        model = toy_peer()
        fitted = model.fit(data, {}, run)
        model.close()
        with pytest.raises(PeerError, match="toy was closed"):
            fitted.recommend(data.query(np.arange(1, dtype=np.int32)), 3)

    def test_settings_are_chosen_by_the_code_that_chooses_ours(self):
        assert PeerContender.choose is Baseline.choose


class TestKnown:
    @pytest.mark.parametrize("name", KNOWN)
    def test_each_peer_has_a_script_and_pinned_requirements(self, name):
        known = KNOWN[name]
        assert importlib.util.find_spec(f"bench.peers.{known.environment}") is not None
        lines = (_venv.HERE / f"{known.environment}.txt").read_text().split()
        assert lines
        assert all(re.fullmatch(r"[\w\[\]-]+==[\w.]+", line) for line in lines)
        script = (_venv.HERE / f"{known.environment}.py").read_text()
        assert f'"{known.model}"' in script
        assert known.grid

    def test_the_peers_of_the_plan_are_there(self):
        wanted = {"rectools-sasrec", "rectools-esasrec", "recbole-sasrec", "implicit-als", "implicit-bm25"}
        assert wanted | {"lenskit-itemknn"} <= set(KNOWN)
        assert _venv.environments() == ("implicit", "lenskit", "recbole", "rectools")

    def test_a_quick_one_has_one_setting_and_two_epochs(self):
        assert peer("rectools-sasrec", quick=True).grid[0]["epochs"] == 2
        assert len(peer("rectools-sasrec", quick=True).grid) == 1
        assert peer("rectools-sasrec").grid == KNOWN["rectools-sasrec"].grid

    def test_an_unknown_one_is_named(self):
        with pytest.raises(_venv.NoPeerError, match="There is no peer 'surprise', only implicit-bm25"):
            peer("surprise")


class TestEnvironments:
    def test_without_requirements_there_is_none(self, tmp_path):
        with pytest.raises(_venv.NoPeerError, match="There are no requirements for 'surprise'"):
            _venv.python_of("surprise", out=tmp_path)

    def test_what_cannot_be_built_says_why(self, tmp_path, monkeypatch):
        failed = subprocess.CompletedProcess([], 1, stdout="", stderr="line\nNo matching distribution found")
        monkeypatch.setattr(_venv.subprocess, "run", lambda *a, **o: failed)
        with pytest.raises(_venv.NoPeerError, match="No matching distribution found\nIt needs a package index"):
            _venv.python_of("implicit", out=tmp_path)

    def test_it_is_built_once_for_each_state_of_its_requirements(self, tmp_path, monkeypatch):
        built = []

        def build(name, wanted, folder):
            built.append(name)
            (folder / "bin").mkdir(parents=True, exist_ok=True)
            (folder / "bin" / "python").touch()

        monkeypatch.setattr(_venv, "_build", build)
        first, second = (_venv.python_of("implicit", out=tmp_path) for _ in range(2))
        assert first == second == (tmp_path / "implicit" / "bin" / "python").absolute()
        assert built == ["implicit"]
        (tmp_path / "implicit" / "built-from").write_text("older")
        _venv.python_of("implicit", out=tmp_path)
        assert built == ["implicit", "implicit"]

    def test_packages_for_accelerators_are_named(self):
        assert _venv.heavy({"nvidia-cublas": "1", "torch": "2", "triton": "3"}) == ["nvidia-cublas", "triton"]
