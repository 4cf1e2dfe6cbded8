"""Whole evaluations on a toy shop whose answer is known: people buy in the order p q r s t, round and round."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from inkling.core.candidates import Candidates
from inkling.core.errors import ConfigError, DataError, LeakError, NotFoundError
from inkling.core.run import Run
from inkling.evaluation import Baseline, Fitted, Ready, dump, evaluate, render_html, render_table
from inkling.evaluation.compare import compare_models
from inkling.evaluation.contenders import PipelineContender
from inkling.evaluation.memory import peak_mb, reset_peak
from inkling.evaluation.models import BASELINES, GRIDS, contender, default_names
from inkling.protocol import ProtocolSpec
from inkling.protocol.fingerprint import fingerprint_of
from inkling.protocol.leaks import Provenance
from inkling.testing.logs import SHOP, catalogue, events, scenario

DAY = 86_400_000
ITEMS = "pqrst"
ROWS = sorted(
    ((f"u{n:02}", ITEMS[(n + step) % 5], step * DAY + n * 1000) for n in range(30) for step in range(8)),
    key=lambda row: row[2],
)
SPEC = ProtocolSpec(ks=(1, 3), metrics=("ndcg", "recall"), n_resamples=200, cuts=(0.8,))
FAST = (BASELINES["popular"], Baseline("markov", "markov", {"last": 1, "backwards": 0.0, "own": 0.0}))


def shop(*models, spec=SPEC, **more):
    return evaluate(events(ROWS), SHOP, catalogue(ITEMS), spec=spec, models=models or FAST, **more)


@pytest.fixture(scope="module")
def evaluation():
    return shop()


@dataclass
class Lucky:
    """Answers at random by its seed, and notes what it was fitted on."""

    name: str = "default"
    provenance: tuple[Provenance, ...] = ()
    fits: list[tuple[int, int]] = field(default_factory=list)
    observed: int = 0

    def choose(self, fold, run):
        return {}

    def fit(self, data, settings, run):
        self.fits.append((data.until, run.seed))
        rng = np.random.default_rng(run.seed)

        def recommend(query, k):
            lists = [rng.permutation(np.flatnonzero(query.allowed))[:k].astype(np.int32) for _ in range(len(query))]
            offsets = np.concatenate([[0], np.cumsum([len(part) for part in lists])]).astype(np.int64)
            rows = np.concatenate(lists)
            return Candidates.of(offsets, rows, np.ones(len(rows), dtype=np.float32), source="lucky")

        def observe(new):
            self.observed += len(new)

        return Fitted(recommend, observe)


def test_what_follows_is_found_and_popularity_does_not_see_it(evaluation):
    markov, popular = evaluation.report.model("markov"), evaluation.report.model("popular")
    # The cut lies in the seventh round: the next item in the order is always among the targets, and it is first.
    assert markov.metrics["ndcg@1"].value == 1.0
    assert popular.metrics["ndcg@1"].value < 0.5
    assert markov.groups["warm"].n == 30
    assert markov.metrics["ndcg@1"].low == markov.metrics["ndcg@1"].high == 1.0


def test_the_price_stands_beside(evaluation):
    for model in evaluation.report.models:
        assert 0 < model.latency_ms.p50 <= model.latency_ms.p99
        assert min(model.fit_s, model.predict_s, model.peak_mb) > 0


def test_the_json_is_the_protocols(evaluation):
    said = json.loads(evaluation.report.to_json())
    assert set(said) == {"protocol", "models"}
    assert {"split", "seen", "cuts", "fingerprint", "train_fingerprint"} <= set(said["protocol"])
    first = said["models"][0]
    assert {"name", "seeds", "groups", "metrics", "latency_ms", "fit_s", "predict_s", "peak_mb"} <= set(first)
    assert set(first["metrics"]["ndcg@1"]) == {"value", "low", "high", "seed_sd"}
    assert first["groups"]["warm"]["metrics"] == first["metrics"]
    assert set(first["latency_ms"]) == {"p50", "p99"}


def test_the_same_question_has_the_same_fingerprint(evaluation):
    again = shop(Lucky()).report.protocol
    assert again == evaluation.report.protocol
    other = shop(Lucky(), spec=ProtocolSpec(cuts=(0.7,), ks=(1,), metrics=("ndcg",), n_resamples=10)).report.protocol
    assert other["fingerprint"] != again["fingerprint"]
    assert other["train_fingerprint"] != again["train_fingerprint"]


def test_metrics_and_fingerprint_come_out_of_the_dump_again(evaluation, tmp_path):
    files = dump(evaluation, tmp_path / "dump")
    assert sorted(path.name for path in files) == ["candidates.parquet", "recommendations.parquet", "targets.parquet"]
    targets, answers, candidates = (pl.read_parquet(tmp_path / "dump" / f"{n}.parquet") for n in NAMES)
    assert {"user_id", "item_id", "group", "cut"} <= set(targets.columns)
    assert {"model", "seed", "user_id", "item_id", "rank", "score", "cut"} <= set(answers.columns)
    warm = targets.filter(pl.col("group") == "warm")
    for model in evaluation.report.models:
        mine = answers.filter((pl.col("model") == model.name) & (pl.col("rank") <= 3))
        assert ndcg(warm, mine, 3) == pytest.approx(model.metrics["ndcg@3"].value)
    said = dict(evaluation.report.protocol)
    claimed = said.pop("fingerprint")
    said.pop("train_fingerprint")
    pairs = list(targets.select("user_id", "item_id").iter_rows())
    assert fingerprint_of(said, pairs, candidates["item_id"].to_list()) == claimed


NAMES = ("targets", "recommendations", "candidates")


def ndcg(targets, answers, k):
    """Slow and obvious."""
    total = []
    for (user,), wanted in targets.group_by("user_id"):
        good = set(wanted["item_id"])
        got = answers.filter(pl.col("user_id") == user).sort("rank")["item_id"].to_list()[:k]
        gain = sum(1 / math.log2(place + 2) for place, item in enumerate(got) if item in good)
        total.append(gain / sum(1 / math.log2(place + 2) for place in range(min(k, len(good)))))
    return sum(total) / len(total)


def test_the_paired_gap_is_the_default_against_each(evaluation):
    both = shop(FAST[1], Lucky())
    gap = both.report.model("markov").paired
    lucky, markov = (both.report.model(name).metrics["ndcg@1"].value for name in ("default", "markov"))
    assert gap.difference == pytest.approx(lucky - markov)
    assert gap.high < 0
    assert gap.p == 1.0
    assert both.report.model("default").paired is None
    assert evaluation.report.model("popular").paired is None


def test_any_two_models_can_be_compared(evaluation):
    found = compare_models(evaluation, "markov", "popular")
    assert found.difference.low > 0
    assert found.difference.n == 30
    assert compare_models(evaluation, "markov", "popular", metric="recall@3", group="warm").difference.mean > 0
    with pytest.raises(NotFoundError, match="The model 'ease' was not measured"):
        compare_models(evaluation, "ease", "popular")
    with pytest.raises(NotFoundError, match="The metric 'map@3' was not measured"):
        compare_models(evaluation, "markov", "popular", metric="map@3")
    with pytest.raises(NotFoundError, match="The group 'cold' was not measured"):
        compare_models(evaluation, "markov", "popular", group="cold")


def test_seeds_are_fits_of_their_own_and_their_spread_is_a_field_of_its_own():
    lucky = Lucky()
    spec = ProtocolSpec(ks=(1,), metrics=("ndcg",), seeds=(0, 1, 2), n_resamples=50, cuts=(0.8,))
    report = shop(lucky, spec=spec).report.model("default")
    assert [seed for _, seed in lucky.fits] == [0, 1, 2]
    assert report.seeds == (0, 1, 2)
    assert report.metrics["ndcg@1"].seed_sd > 0
    assert shop(Lucky()).report.model("default").metrics["ndcg@1"].seed_sd is None


def test_a_fit_sees_the_training_part_only_and_cuts_are_pooled():
    lucky = Lucky()
    spec = ProtocolSpec(ks=(1,), metrics=("ndcg",), n_resamples=50, cuts=(0.5, 0.8))
    found = shop(lucky, spec=spec)
    assert [until for until, _ in lucky.fits] == [fold.cut for fold in found.folds]
    warm = found.report.model("default").groups["warm"].n
    assert warm == sum(len(fold.groups["warm"].people) for fold in found.folds) == 60


def test_folds_of_items_share_a_fit():
    lucky = Lucky()
    spec = ProtocolSpec(split="cold", ks=(1,), metrics=("ndcg",), n_resamples=20, cuts=(0.8,), cold_folds=3)
    report = shop(lucky, spec=spec).report.model("default")
    assert len(lucky.fits) == 4  # three with hidden items, one with none hidden
    assert {"cold", "warm", "cold_among_cold", "warm_full"} <= set(report.groups)
    assert report.groups["warm"].n == report.groups["warm_full"].n


def test_replay_learns_only_where_the_model_does():
    spec = ProtocolSpec(split="replay", ks=(1,), metrics=("ndcg",), n_resamples=20, cuts=(0.9,))
    lucky = Lucky()
    found = shop(lucky, FAST[1], spec=spec)
    assert lucky.observed == len(found.folds[0].asked) - 1
    assert found.report.model("markov").metrics["ndcg@1"].value == 1.0


def test_an_artefact_that_saw_the_future_is_refused():
    late = Lucky(provenance=(Provenance(name="a distilled student", trained_until=8 * DAY, fingerprint="x"),))
    with pytest.raises(LeakError, match="a distilled student was made from events up to"):
        shop(late)
    early = Lucky(provenance=(Provenance(name="a distilled student", trained_until=DAY, fingerprint="x"),))
    assert shop(early).report.models[0].name == "default"


def test_a_ready_model_must_say_what_it_saw():
    answer = Lucky().fit(SimpleNamespace(until=0), {}, Run()).recommend
    with pytest.raises(DataError, match="does not say what it was made from"):
        shop(Ready("bundle", answer, ()))
    assert shop(Ready("bundle", answer, (Provenance(name="bundle", trained_until=DAY),))).report.models


def test_settings_are_chosen_on_validation():
    grid = ({"last": 1, "backwards": 1.0, "own": 9.0}, {"last": 1, "backwards": 0.0, "own": 0.0})
    report = shop(Baseline("markov", "markov", {"decay": 0.5}, grid)).report.model("markov")
    assert list(report.settings.values()) == [{"decay": 0.5, **grid[1]}]
    assert report.tune_s > 0


def test_names_that_are_none_or_come_twice():
    with pytest.raises(ConfigError, match=r"no model named 'populer'\. Did you mean 'popular'"):
        shop("populer")
    with pytest.raises(ConfigError, match="Models named twice: popular"):
        shop("popular", "popular")


def test_the_default_list():
    wanted = ("popular", "popular-1d", "popular-7d", "popular-30d", "repeat", "markov", "itemknn", "ease", "default")
    assert default_names("time") == wanted
    assert default_names("replay") == (*wanted, "default-frozen")


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_setting_of_every_grid_is_one_of_its_model(name):
    from inkling.core.config import parse
    from inkling.retrieval import RETRIEVERS

    baseline = BASELINES[name]
    kind = RETRIEVERS.get(baseline.retriever)
    for settings in baseline.grid:
        assert parse(kind.Config, {**baseline.fixed, **settings})
    assert baseline.grid == GRIDS[baseline.retriever]


def test_names_stand_for_baselines_pipelines_and_retrievers():
    own = scenario(pipeline="special", settings={"x": 1})
    learning, frozen = contender("default", own), contender("default-frozen", own, minutes=2)
    assert isinstance(learning, PipelineContender)
    assert (learning.pipeline, learning.settings, learning.learns) == ("special", {"x": 1}, True)
    assert (frozen.learns, frozen.minutes) == (False, 2)
    assert contender("semantic", own).retriever == "semantic"


def test_the_table_marks_the_best_and_says_what_is_missing(evaluation):
    console = Console(width=200, record=True)
    with console.capture() as captured:
        console.print(render_table(shop(FAST[1], FAST[0], Lucky()).report))
    text = captured.get()
    assert text.index("markov") < text.index("popular")
    assert "default is better by" in text
    assert "split time at 0.8, seen keep: warm, n = 30" in text
    assert "0 targets outside the candidates" in text


def test_the_page_stands_alone(evaluation):
    page = render_html(shop(FAST[1], Lucky()).report, name="Shop <1>")
    assert page.startswith("<!doctype html>")
    assert "Shop &lt;1&gt;" in page
    assert page.count("<svg") >= 5
    assert "prefers-color-scheme:dark" in page
    for word in ("src=", "href=", "@import", "url("):
        assert word not in page


def test_memory_is_the_processes_high_water_mark():
    reset_peak()
    before = peak_mb()
    block = np.ones(20_000_000)
    assert peak_mb() >= before + block.nbytes / 1e6 * 0.5 - 50
    assert before > 10
