from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="exporting needs onnx")

from onnx import helper, numpy_helper  # noqa: E402

from inkling.compression import export  # noqa: E402
from inkling.compression.export import export_model, inputs_of, open_model  # noqa: E402
from inkling.core.candidates import Candidates  # noqa: E402
from inkling.core.errors import (  # noqa: E402
    BundleError,
    ConfigError,
    InklingError,
    MissingExtraError,
    RequestError,
)
from inkling.core.query import History, Query  # noqa: E402
from inkling.core.run import Run  # noqa: E402
from inkling.ranking.gbdt import Gbdt, GbdtConfig  # noqa: E402
from inkling.retrieval import build  # noqa: E402
from inkling.testing import worlds  # noqa: E402
from inkling.testing.ranking import tasks  # noqa: E402


def doubling(*, opset=17, free=True):
    """Return a network that doubles: ``x`` (N, 2) -> ``y``."""
    rows = "n" if free else 3
    x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [rows, 2]) for name in ("x", "y"))
    two = numpy_helper.from_array(np.array(2, np.float32), "two")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "two"], ["y"])], "double", [x], [y], [two])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8).SerializeToString()


class TestOpening:
    def test_bytes_files_and_folders_go_through_one_door(self, tmp_path):
        (tmp_path / "one.onnx").write_bytes(doubling())
        for source in (doubling(), tmp_path / "one.onnx", str(tmp_path)):
            model = open_model(source)
            assert model.run({"x": np.eye(2)})["y"].tolist() == [[2, 0], [0, 2]]
            assert [(port.name, port.shape) for port in model.inputs] == [("x", (None, 2))]
            assert (model.providers, model.card) == (("CPUExecutionProvider",), None)

    def test_a_provider_that_is_not_there_is_named_with_those_that_are(self):
        with pytest.raises(
            ConfigError, match=r"'NoExecutionProvider' is not there\. Available: .*CPUExecutionProvider"
        ):
            open_model(doubling(), providers=("NoExecutionProvider", "CPUExecutionProvider"))
        with pytest.raises(ConfigError, match="expected some names"):
            open_model(doubling(), providers="CPUExecutionProvider")
        with pytest.raises(ConfigError, match="n_threads is 0, expected at least 1"):
            open_model(doubling(), n_threads=0)

    def test_what_is_no_network_is_refused(self, tmp_path):
        with pytest.raises(BundleError, match="There is no ONNX network at"):
            open_model(tmp_path / "nothing")
        with pytest.raises(BundleError, match="holds not one ONNX network but none"):
            open_model(tmp_path)
        (tmp_path / "bad.onnx").write_bytes(b"something else")
        with pytest.raises(BundleError, match="is no ONNX network that onnxruntime"):
            open_model(tmp_path / "bad.onnx")
        (tmp_path / "good.onnx").write_bytes(doubling())
        with pytest.raises(BundleError, match=r"not one ONNX network but bad\.onnx, good\.onnx"):
            open_model(tmp_path)

    def test_operators_of_the_future_are_refused(self):
        with pytest.raises(BundleError, match=r"opset 17 is safe"):
            open_model(doubling(opset=99))

    def test_wrong_questions_are_refused(self):
        with pytest.raises(RequestError, match="was given z; it reads x"):
            open_model(doubling()).run({"z": np.eye(2)})
        with pytest.raises(RequestError, match=r"cannot read x \(2, 2\)"):
            open_model(doubling(free=False)).run({"x": np.eye(2)})


def histories(*lists, n_items=30, users=None):
    from inkling.core.jagged import Jagged

    items = Jagged.from_lists([list(one) for one in lists])
    times = np.arange(len(items.values), dtype=np.int64) * 3_600_000
    rows = np.array(users if users is not None else [-1] * len(lists), np.int32)
    now = np.full(len(lists), 10**10, np.int64)
    return Query(History.of_items(items, ts=times), now, n_items, rows)


ASKED = ((1, 2, 3), (), (5,), (7, 8, 9, 10, 11, 3, 2, 1, 4), (29, 29))


@pytest.fixture(scope="module")
def sequences():
    pytest.importorskip("torch", reason="sequence models are trained by torch")
    made = {}

    def get(name):
        if name not in made:
            made[name] = build(name, {"dim": 16, "epochs": 1, "negatives": 16}).fit(worlds.shop(), Run(seed=3))
        return made[name]

    return get


@pytest.mark.parametrize("name", ["sasrec", "gru4rec", "hstu"])
def test_a_sequence_model_answers_as_itself_for_any_number_of_people_and_events(name, sequences, tmp_path):
    model, query = sequences(name), histories(*ASKED)
    opened = export_model(model, tmp_path / name, query=query)
    for lists in (ASKED, ((4, 5),), ((), ()), ((3,) * 70,)):
        other = histories(*lists)
        found = opened.run(inputs_of(model, other))
        np.testing.assert_allclose(found["scores"], model.scores(other), atol=1e-4)
        np.testing.assert_allclose(found["people"], model.people(other)[0], atol=1e-4)
    assert opened.card.kind == "sequence"
    assert opened.card.settings["dim"] == 16


def test_two_towers_answer_as_themselves(tmp_path):
    pytest.importorskip("torch", reason="towers are trained by torch")
    data = worlds.countries().data
    small = {"dim": 8, "hidden": 8, "length": 6, "buckets": 64, "epochs": 1, "batch": 128, "negatives": 8}
    model = build("two_tower", small).fit(data, Run(seed=1))
    query = data.query(np.arange(4, dtype=np.int32))
    opened = export_model(model, tmp_path / "towers", query=query)
    stranger = histories((0,), (), n_items=data.n_items)
    for other in (query, stranger):
        found = opened.run(inputs_of(model, other))
        np.testing.assert_allclose(found["scores"], model.scores(other), atol=1e-5)
    assert np.abs(model.scores(query)).max() > 0.1


@pytest.fixture(scope="module")
def lessons():
    return tasks(n_people=60)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("deepfm", {}),
        ("deepfm", {"item_dim": 0}),
        ("dcn", {"item_dim": 4}),
        ("din", {}),
        ("multitask", {"towers": "mmoe", "click_value": 0.5}),
        ("multitask", {"conversion_value": 20.0}),
    ],
)
def test_deep_rankers_answer_as_themselves(name, settings, lessons, tmp_path):
    pytest.importorskip("torch", reason="networks are trained by torch")
    from inkling.ranking import build as build_ranker

    model = build_ranker(name, {"epochs": 1, "hidden": [8], **settings})
    data = lessons
    if name == "multitask":
        from dataclasses import replace

        data = replace(lessons, further={"conversion": lessons.labels})
    model = model.fit(data, Run(seed=0))
    opened = export_model(model, tmp_path / "ranker", query=data.query, candidates=data.candidates)
    one = data.take(np.array([3]))
    for part in (data, one, data.take(np.array([5, 9, 2]))):
        found = opened.run(inputs_of(model, part.query, part.candidates))["scores"]
        np.testing.assert_allclose(found, model.scores(part.query, part.candidates), atol=1e-4)
    assert opened.card.largest_difference < 1e-4


@pytest.fixture(scope="module")
def trees(lessons):
    return Gbdt(GbdtConfig(trees=25, min_examples=5)).fit(lessons, Run(seed=0))


def test_trees_answer_as_themselves_missing_values_too(trees, lessons, tmp_path):
    opened = export_model(trees, tmp_path / "trees", query=lessons.query, candidates=lessons.candidates)
    rng = np.random.default_rng(0)
    fields = {
        name: np.where(rng.random(len(column)) < 0.3, np.nan, column).astype(np.float32)
        for name, column in lessons.candidates.fields.items()
    }
    gappy = Candidates(
        *(getattr(lessons.candidates, n) for n in ("offsets", "item_rows", "scores", "sources", "source_names")), fields
    )
    found = opened.run(inputs_of(trees, lessons.query, gappy))["scores"]
    expected = trees.scores(lessons.query, gappy)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.unique(expected).size > 20
    assert opened.card.columns == trees._names


def test_serving_what_was_exported_needs_neither_torch_nor_onnx(trees, lessons, sequences, tmp_path):
    export_model(trees, tmp_path / "trees", query=lessons.query, candidates=lessons.candidates)
    query = histories((1, 2, 3))
    model = sequences("sasrec")
    export_model(model, tmp_path / "sequence", query=query)
    np.savez(tmp_path / "given.npz", **inputs_of(model, query))
    code = (
        "import sys; sys.modules['torch'] = sys.modules['onnx'] = None;"
        "import numpy as np; from inkling.compression.export import open_model;"
        f"given = dict(np.load({str(tmp_path / 'given.npz')!r}));"
        f"print(open_model({str(tmp_path / 'sequence')!r}).run(given)['scores'].shape,"
        f"len(open_model({str(tmp_path / 'trees')!r}).inputs))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr.strip()) == ("(1, 30) 1", "")


def test_an_altered_export_is_refused(trees, lessons, tmp_path):
    place = tmp_path / "trees"
    export_model(trees, place, query=lessons.query, candidates=lessons.candidates)
    card = json.loads((place / "card.json").read_text())
    assert (card["kind"], card["name"], card["inputs"]) == ("trees", "gbdt", {"x": "tensor(float)"})
    (place / "model.onnx").write_bytes(doubling())
    with pytest.raises(BundleError, match="was altered"):
        open_model(place)


def test_a_network_that_disagrees_is_not_written(trees, lessons, tmp_path, monkeypatch):
    real = trees.scores
    monkeypatch.setattr(trees, "scores", lambda query, items: real(query, items) + 1, raising=False)
    with pytest.raises(InklingError, match=r"The network of 'gbdt' is 1 off the model's own scores"):
        export_model(trees, tmp_path / "trees", query=lessons.query, candidates=lessons.candidates)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_says_so(lessons, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"'popular' is not exported to ONNX\. Sequence models"):
        export_model(build("popular", {}), tmp_path / "a", query=lessons.query)
    with pytest.raises(ConfigError, match="'popular' is not exported"):
        inputs_of(build("popular", {}), lessons.query)
    with pytest.raises(ConfigError, match="'gbdt' cannot be exported: it was not fitted"):
        export_model(Gbdt(), tmp_path / "a", query=lessons.query, candidates=lessons.candidates)
    with pytest.raises(RequestError, match="compared on candidates, and none were given"):
        export_model(Gbdt(), tmp_path / "a", query=lessons.query)
    with pytest.raises(RequestError, match="it reads candidates, and none were given"):
        inputs_of(Gbdt(), lessons.query)
    for name in ("sasrec", "two_tower"):
        with pytest.raises(ConfigError, match=f"'{name}' cannot be exported: it was not fitted"):
            export_model(build(name, {}), tmp_path / "a", query=lessons.query)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match="Exporting needs onnx"):
        export_model(Gbdt(), tmp_path / "a", query=lessons.query, candidates=lessons.candidates)
    assert export.MODEL == "model.onnx"


def test_an_unfitted_deep_ranker_is_refused(lessons, tmp_path):
    pytest.importorskip("torch", reason="networks are traced by torch")
    from inkling.ranking import build as build_ranker

    with pytest.raises(ConfigError, match="'dcn' cannot be exported: it was not fitted"):
        export_model(build_ranker("dcn", {}), tmp_path / "a", query=lessons.query, candidates=lessons.candidates)
