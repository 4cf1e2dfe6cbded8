from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="cross encoders are trained by torch")
pytest.importorskip("transformers", reason="and come from transformers")

from inkling.core.candidates import Candidates  # noqa: E402
from inkling.core.jagged import Jagged  # noqa: E402
from inkling.core.query import History, Query  # noqa: E402
from inkling.core.run import Run  # noqa: E402
from inkling.language.templates import Template  # noqa: E402
from inkling.ranking import build  # noqa: E402
from inkling.ranking.base import RankingSet, Reading  # noqa: E402
from inkling.ranking.cross_encoder import CrossEncoder, CrossEncoderConfig  # noqa: E402
from inkling.testing.backbones import small_backbone  # noqa: E402
from inkling.testing.capability import has  # noqa: E402
from inkling.testing.ranking import RankerContract, tasks  # noqa: E402

RED, BLUE = (tuple(f"a {colour} {thing}" for thing in ("mug", "cup", "film", "novel")) for colour in ("red", "blue"))
TEXTS = (*RED, *BLUE, "tea", "coffee", "the sea", "a train")
FOLDERS: dict[str, str] = {}


@pytest.fixture(scope="module", autouse=True)
def _folders(tmp_path_factory):
    for kind in ("bert", "gpt2"):
        place = tmp_path_factory.mktemp("small") / kind
        small_backbone(kind).save(place)
        FOLDERS[kind] = str(place)


def made(kind="bert", **settings):
    model = build("cross_encoder", {"source": FOLDERS[kind], "dropout": 0.0, "max_tokens": 32, **settings})
    model.read(np.arange(12, dtype=np.int32), TEXTS, TEXTS)
    return model


class TestCrossEncoderContract(RankerContract):
    name = "cross_encoder"
    needs_features = False

    def make(self):
        return made(epochs=1, lists=50, left_each=3)


def colours(n_people=64, seed=0):
    """People who had red things take what is red, and the others what is blue; nothing else tells it."""
    rng = np.random.default_rng(seed)
    red = rng.random(n_people) < 0.5
    lists = [rng.permutation(4)[:2].astype(np.int32) + (0 if one else 4) for one in red.tolist()]
    query = Query(
        History.of_items(Jagged.from_lists(lists)), np.zeros(n_people, np.int64), 12, np.full(n_people, -1, np.int32)
    )
    rows = np.stack([rng.permutation(8)[:4] for _ in range(n_people)]).astype(np.int32)
    labels = ((rows < 4) == red[:, None]).astype(np.float32)
    offsets = np.arange(n_people + 1, dtype=np.int64) * 4
    items = Candidates.of(offsets, rows.ravel(), np.zeros(n_people * 4, np.float32), source="toy")
    return RankingSet(query, items, labels.ravel())


@pytest.mark.parametrize(("kind", "loss"), [("bert", "listwise"), ("gpt2", "pointwise")])
def test_it_reads_that_person_and_item_go_together(kind, loss):
    model = made(kind, loss=loss, epochs=30, lists=16, learning_rate=3e-3, patience=0, priors=False)
    model.fit(colours(), Run(seed=1), validation=colours(16, seed=5))
    fresh = colours(40, seed=2)
    with_both = [p for p in range(40) if 0 < fresh.labels[4 * p : 4 * p + 4].sum() < 4]
    items = fresh.candidates.with_fields({"taken": fresh.labels})
    first = model.score(fresh.query, items).fields["taken"].reshape(40, 4)[with_both, 0]
    assert first.mean() >= 0.8


def test_only_the_first_are_read_and_the_rest_stay_below_as_they_were():
    data = tasks(n_people=5)
    model = made(epochs=1, lists=50, top=3).fit(tasks(), Run(seed=1))
    ranked = model.score(data.query, data.candidates)
    for person in range(5):
        before, after = data.candidates.rows_of(person).tolist(), ranked.rows_of(person).tolist()
        assert sorted(after[:3]) == sorted(before[:3])
        assert after[3:] == before[3:]
    short = data.candidates.top(2)
    assert len(model.score(data.query, short).item_rows) == 10


def test_before_a_fit_the_order_stays():
    data = tasks(n_people=2)
    assert CrossEncoder().score(data.query, data.candidates) is data.candidates


def test_it_begins_at_the_order_it_was_given():
    """Where nothing but the incoming score tells, it is kept: texts are read, but say nothing."""
    data = tasks(n_people=60)
    signal = data.candidates.fields["signal"]
    order = replace(data.candidates, fields={"taken": data.labels}).with_scores(signal)
    given = RankingSet(data.query, replace(order, fields={}), order.fields["taken"])
    model = made(epochs=1, lists=50).fit(given, Run(seed=1))
    ranked = model.score(given.query, order)
    assert ranked.top(2).fields["taken"].mean() > 0.9


def test_items_may_change_and_new_ones_come():
    model = made(epochs=1, lists=50).fit(tasks(), Run(seed=1))
    assert has(model, Reading)
    model.read(np.array([14], dtype=np.int32), ["a new mug"], ["a new mug for tea"])
    assert model.items(np.array([14, 13, 99], dtype=np.int32)) == ["a new mug for tea", "", ""]
    history = History.of_items(Jagged.from_lists([np.array([0, 14], dtype=np.int32)]))
    asked = Query(history, np.zeros(1, np.int64), 15, np.full(1, -1, np.int32))
    assert model.people(asked) == ["a new mug; a red mug"]


def test_a_template_of_ones_own():
    own = Template(event="<{title}>", person="had {events}", separator=" ")
    model = CrossEncoder(CrossEncoderConfig(template=own))
    model.read(np.arange(12, dtype=np.int32), TEXTS, TEXTS)
    history = History.of_items(Jagged.from_lists([np.array([0, 8], dtype=np.int32)]))
    assert model.people(Query(history, np.zeros(1, np.int64), 12, np.full(1, -1, np.int32))) == [
        "had <tea> <a red mug>"
    ]


def test_in_int8_it_orders_alike():
    settings = {"epochs": 1, "lists": 50, "left_each": 3}
    data = tasks(n_people=20, seed=7)
    whole = made(**settings).fit(tasks(), Run(seed=3)).score(data.query, data.candidates)
    small = made(**settings, int8=True).fit(tasks(), Run(seed=3)).score(data.query, data.candidates)
    assert np.mean(small.top(2).item_rows == whole.top(2).item_rows) > 0.9
