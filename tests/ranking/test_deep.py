"""The formulas of the networks beside the papers', the same in torch and numpy, and fast without torch."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.ranking import build
from inkling.ranking._deep import _parted, _thinned
from inkling.ranking._inputs import Inputs
from inkling.testing.ranking import tasks

torch = pytest.importorskip("torch", reason="networks are trained by torch")

QUICK = {"epochs": 1, "hidden": [8, 4]}
NAMES = ("deepfm", "dcn", "din", "multitask")


@pytest.fixture(scope="module")
def fitted():
    ids = {"dcn": {"item_dim": 8}}  # which reads none unless it is told to
    return {name: build(name, {**QUICK, **ids.get(name, {})}).fit(tasks(n_people=60), Run()) for name in NAMES}


def inputs_of(model, data):
    return model._reader.read(data.query, data.candidates)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("name", NAMES)
def test_numpy_says_what_torch_says(name, fitted):
    from inkling.ranking import _fit

    model, data = fitted[name], tasks(n_people=7, seed=5)
    inputs = inputs_of(model, data)
    ours = model._forward(np, model._served, inputs, lambda hidden: hidden)
    net = _fit.Net(model._forward, model._p, dropout=0.5).eval()
    theirs = net(Inputs(*(torch.as_tensor(part) for part in inputs))).detach().numpy()
    assert np.allclose(ours, theirs, atol=1e-5)


def test_deepfm_is_the_papers_sum(fitted):
    model, data = fitted["deepfm"], tasks(n_people=2, seed=5)
    p, inputs, fields = model._p, inputs_of(fitted["deepfm"], data), model._reader.fields
    scores = model.scores(data.query, data.candidates)
    for at in (0, 13, 23):
        x, codes = inputs.x[at], inputs.history[inputs.people[at]]
        codes = codes[codes > 0]
        had = p["items"][codes].mean(axis=0) if len(codes) else np.zeros(8)
        vectors = [x[d] * p["v"][d] for d in range(len(x))] + [p["items"][inputs.items[at]], had]
        pairs = sum(vectors[i] @ vectors[j] for i in range(len(vectors)) for j in range(i))
        hidden = sum(vectors[d] @ p["first"][fields[d]] for d in range(len(x))) + p["first.b"]
        hidden = np.maximum(hidden + np.concatenate(vectors[-2:]) @ p["first.ids"], 0)
        deep = np.maximum(hidden @ p["mlp.w0"] + p["mlp.b0"], 0) @ p["out"]
        expected = p["bias"][0] + x @ p["w"] + p["items.w"][inputs.items[at]] + pairs + deep
        assert scores[at] == pytest.approx(expected, abs=1e-4)


def test_dcn_crosses_as_in_the_paper(fitted):
    model, data = fitted["dcn"], tasks(n_people=2, seed=5)
    p, inputs = model._p, inputs_of(fitted["dcn"], data)
    codes = inputs.history[inputs.people[0]]
    had = p["items"][codes[codes > 0]].mean(axis=0) if (codes > 0).any() else np.zeros(8)
    item = p["items"][inputs.items[0]]
    x0 = np.concatenate([inputs.x[0], item, had, item * had])
    x = x0
    for depth in range(2):
        matrix = p[f"cross.u{depth}"] @ p[f"cross.v{depth}"]
        x = x0 * (matrix.T @ x + p[f"cross.b{depth}"]) + x
    deep = np.maximum(np.maximum(x0 @ p["mlp.w0"] + p["mlp.b0"], 0) @ p["mlp.w1"] + p["mlp.b1"], 0)
    expected = np.concatenate([x, deep]) @ p["out"] + p["bias"][0]
    assert model.scores(data.query, data.candidates)[0] == pytest.approx(expected, abs=1e-4)


def test_din_weighs_each_past_item_by_the_candidate(fitted):
    model, data = fitted["din"], tasks(n_people=6, seed=5)
    p, inputs = model._p, inputs_of(fitted["din"], data)
    scores = model.scores(data.query, data.candidates)
    for at in (0, 30, 71):
        item, taste = p["items"][inputs.items[at]], np.zeros(16)
        person = inputs.people[at]
        for code, age in zip(inputs.history[person], inputs.ages[person], strict=True):
            if code > 0:
                past = p["items"][code]
                near = item @ p["near.item"] + past @ p["near.had"] + (item * past) @ p["near.both"]
                near = np.maximum(near + age * p["near.age"] + p["near.b"], 0)
                taste += past * (near @ p["near.out"] + p["near.end"])
        x = np.concatenate([inputs.x[at], item, taste, item * taste])
        hidden = np.maximum(np.maximum(x @ p["mlp.w0"] + p["mlp.b0"], 0) @ p["mlp.w1"] + p["mlp.b1"], 0)
        assert scores[at] == pytest.approx(x @ p["linear"] + hidden @ p["out"] + p["bias"][0], abs=1e-4)


def matching(n_people=300, n_items=20, seed=0):
    """Items are of two kinds; a person takes what is of the kind of their newest past item. No column tells of it."""
    rng = np.random.default_rng(seed)
    data = tasks(n_people=n_people, n_items=n_items, seed=seed)
    keep = np.flatnonzero(np.diff(data.query.history.offsets))
    data = data.take(keep)
    history = data.query.history
    last = history.item_rows[history.offsets[1:] - 1] % 2
    labels = (data.candidates.item_rows % 2 == last[data.candidates.segment_rows]).astype(np.float32)
    fields = {"noise": rng.normal(size=len(labels)).astype(np.float32)}
    return replace(data, candidates=replace(data.candidates, fields=fields), labels=labels)


def test_din_learns_what_the_past_says_of_a_candidate():
    model = build("din", {"epochs": 12, "learning_rate": 0.02, "hidden": [16]}).fit(matching(), Run())
    fresh = matching(100, seed=1)
    scores = model.scores(fresh.query, fresh.candidates)
    people = fresh.candidates.segment_rows
    taken, left = (np.bincount(people, scores * (fresh.labels == kind)) / 10 for kind in (1, 0))
    assert (taken > left).mean() > 0.7  # half by chance


def test_context_tells_who_takes_what():
    """At noon people take what has a high signal, at midnight what has a low one."""
    data = tasks(n_people=400)
    noon = np.arange(400) % 2
    query = replace(data.query, now=data.query.now // 86_400_000 * 86_400_000 + noon * 43_200_000)
    signal = data.candidates.fields["signal"] * np.where(noon, 1, -1)[data.candidates.segment_rows]
    labels = (signal > 0.8).astype(np.float32)
    settings = {"epochs": 10, "learning_rate": 0.02, "item_dim": 0, "hidden": [16]}
    for name in ("deepfm", "dcn"):
        model = build(name, settings).fit(replace(data, query=query, labels=labels), Run())
        scores = model.scores(query, data.candidates)
        assert np.corrcoef(scores, signal)[0, 1] > 0.7, name


def test_positions_of_a_tower_are_dropped_in_serving():
    data = replace(tasks(n_people=50), positions=np.tile(np.arange(12, dtype=np.int32), 50))
    model = build("dcn", {**QUICK, "position": "tower"}).fit(data, Run())
    assert not any("place" in name for name in model.state())


def test_people_are_held_out_and_left_items_drawn():
    data, rng = tasks(n_people=100), np.random.default_rng(0)
    rest, held = _parted(data, rng, whole=True)
    assert (len(rest.query), len(held.query)) == (85, 15)
    assert _parted(tasks(n_people=10), rng, whole=True)[1] is None
    same = replace(data, labels=np.zeros(1200, dtype=np.float32))
    assert _parted(same, rng, whole=True)[1] is None
    assert len(_parted(same, rng, whole=False)[1].query) == 15
    thin = _thinned(rest, 3, rng, weighted=True)
    assert np.diff(thin.candidates.offsets).tolist() == [5] * 85
    assert thin.labels.sum() == rest.labels.sum()
    assert thin.weights.sum() == pytest.approx(len(rest.labels))  # each drawn item stands for those that were not
    assert _thinned(rest, 0, rng, weighted=True) is rest
    assert _thinned(rest, 3, rng, weighted=False).weights is None


def test_each_person_needs_a_question():
    data = tasks(n_people=10)
    with pytest.raises(DataError, match="candidates of 10 people, but 3 were asked about"):
        build("din", QUICK).fit(replace(data, query=data.query.take([0, 1, 2])), Run())


def test_a_row_of_200_candidates_takes_less_than_a_millisecond(fitted):
    import time

    data = tasks(n_people=1, n_items=200, seed=3)
    assert isinstance(data.candidates, Candidates)
    for name, model in fitted.items():
        spent = []
        for _ in range(30):
            begin = time.process_time()
            model.scores(data.query, data.candidates)
            spent.append(time.process_time() - begin)
        assert min(spent) < 0.003, name  # a generous multiple, for a slow machine


def test_serving_imports_no_torch(fitted, tmp_path):
    np.savez(tmp_path / "state.npz", **fitted["dcn"].state())
    code = (
        "import sys, numpy as np; from inkling.ranking import build; from inkling.testing.ranking import tasks;"
        f"state = dict(np.load({str(tmp_path / 'state.npz')!r}));"
        "m = build('dcn', {'hidden': [8, 4], 'item_dim': 8}).load_state(state);"
        "d = tasks(n_people=2, seed=5); print(repr(float(m.scores(d.query, d.candidates)[0])), 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    data = tasks(n_people=2, seed=5)
    assert float(told[0]) == float(fitted["dcn"].scores(data.query, data.candidates)[0])
    assert told[1] == "False"


def test_without_torch_it_is_said_what_to_install(monkeypatch):
    from inkling.core.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"Fitting 'deepfm' needs torch.*inkling\[train\]"):
        build("deepfm").fit(tasks(n_people=5), Run())
