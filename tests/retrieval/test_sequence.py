"""What holds of all sequence models: the next item is found, order counts, nothing leaks, weights carry over."""

import sys
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.core.errors import ConfigError, DataError, MissingExtraError  # noqa: E402
from inkling.core.jagged import Jagged  # noqa: E402
from inkling.core.query import History, Query  # noqa: E402
from inkling.core.run import Run  # noqa: E402
from inkling.core.scenario import Scenario  # noqa: E402
from inkling.retrieval import build  # noqa: E402
from inkling.retrieval._sequence import _TEXT_SHARE  # noqa: E402
from inkling.retrieval._sequence_fit import by_person  # noqa: E402
from inkling.retrieval._sequence_measure import Validation  # noqa: E402
from inkling.retrieval._sequence_start import near_start, turned_onto  # noqa: E402
from inkling.retrieval.sasrec import Sasrec, SasrecConfig  # noqa: E402
from inkling.testing import worlds  # noqa: E402
from inkling.testing.worlds import Happening  # noqa: E402
from inkling.training.nets.sequence import SequenceNet  # noqa: E402
from inkling.training.nets.table import TEXT_SHARE, ItemTable  # noqa: E402

SMALL = {"dim": 16, "epochs": 40, "negatives": 32, "dropout": 0.1, "lr": 0.01, "batch_tokens": 100, "validation": 0.0,
    "schedule": "constant"}  # fmt: skip
OF = {"sasrec": {}, "hstu": {}, "gru4rec": {}, "caser": {}, "bert4rec": {"epochs": 80, "length": 6, "hidden_last": 0.8}}


class Words:
    """One dimension a word."""

    def __init__(self):
        self.words = {}

    def encode(self, texts):
        out = np.zeros((len(texts), 32), dtype=np.float32)
        for row, text in zip(out, texts, strict=True):
            for word in text.split():
                row[self.words.setdefault(word, len(self.words))] += 1
        return out


def ask(lists, n_items):
    rows = Jagged.from_lists(lists)
    ts = worlds.START_MS + np.arange(len(rows.values), dtype=np.int64) * worlds.DAY_MS
    return Query(History.of_items(rows, ts=ts), ts[: len(lists)], n_items, np.full(len(lists), -1, dtype=np.int32))


@pytest.fixture(scope="module")
def fitted():
    made = {}

    def of(name):
        if name not in made:
            made[name] = build(name, {**SMALL, **OF[name]}).fit(worlds.chain().data, Run(seed=1))
        return made[name]

    return of


@pytest.mark.parametrize("name", OF)
def test_the_next_item_of_the_chain_comes_first_and_the_way_matters(name, fitted):
    world = worlds.chain()
    model = fitted(name)
    # What reads both ways has no notion of "after": it knows the walks that it saw, not all of them.
    assert (model.retrieve(world.query, 1).item_rows == world.first).mean() > (0.6 if name == "bert4rec" else 0.9)
    there, back = ask([[2, 3, 4]], 12), ask([[4, 3, 2]], 12)
    assert model.retrieve(there, 1).item_rows.tolist() == [5]
    assert not np.allclose(model.scores(there), model.scores(back), atol=1e-3)
    assert model.scores(there).max() == 1.0


def test_what_is_served_is_what_torch_says(fitted):
    model, query = fitted("sasrec"), worlds.chain().query
    state, table = model.state(), ItemTable(torch.zeros(12, 16))
    net = SequenceNet(table, model.body(), cosine=True).eval()
    net.load_state_dict(
        {
            name: torch.tensor(state["ids"].astype(np.float32) if name == "table.ids" else state[f"weights.{name}"])
            for name in net.state_dict()
        }
    )
    served, _ = model.people(query)
    rows = query.history.item_rows.reshape(len(query), 6)
    times = torch.from_numpy(query.history.ts.reshape(len(query), 6) // 1000)
    with torch.no_grad():
        vectors = net.read(net.items(torch.from_numpy(rows.astype(np.int64))))
        expected = net.person(net.body.last(vectors, times, torch.full((len(query),), 6)))
        logits = expected @ net.items().T
    assert np.allclose(served, expected.numpy(), atol=1e-4)
    scores = torch.exp(logits - logits.amax(1, keepdim=True)).numpy()
    assert np.allclose(model.scores(query), scores, atol=1e-3)


def test_an_answer_needs_no_torch(fitted, monkeypatch):
    state, query = fitted("hstu").state(), worlds.chain().query
    expected = fitted("hstu").retrieve(query, 3)
    for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
        monkeypatch.setitem(sys.modules, name, None)
    model = build("hstu", SMALL).load_state(state)
    assert model.retrieve(query, 3).item_rows.tolist() == expected.item_rows.tolist()
    with pytest.raises(MissingExtraError, match="pip install"):
        model.fit(worlds.chain().data, Run())


def test_people_without_a_usable_history_get_nothing(fitted):
    model = fitted("sasrec")
    nothing = ask([[], [40]], 50)
    assert not model.scores(nothing).any()
    assert len(model.retrieve(nothing, 5).item_rows) == 0
    disliked = ask([[2, 3, 4]], 12)
    disliked.history.weights[:] = -1.0
    assert not model.scores(disliked).any()


def test_only_the_last_events_are_read(fitted):
    model = build("sasrec", {**SMALL, "length": 3}).load_state(fitted("sasrec").state())
    long, short = ask([[9, 9, 9, 2, 3, 4]], 12), ask([[2, 3, 4]], 12)
    assert np.allclose(model.scores(long), model.scores(short), atol=1e-6)


@pytest.mark.parametrize("loss", ["softmax", "gbce", "bce", "bpr"])
def test_each_loss_falls_and_beats_chance(loss):
    world, told = worlds.chain(), []
    model = build("sasrec", {**SMALL, "popularity": 0.5, "epochs": 20, "loss": loss})
    model.watch = lambda *said: told.append(said[2])
    model.fit(world.data, Run())
    assert told[-1] < 0.9 * told[0]
    found = model.retrieve(world.query, 3).item_rows.reshape(-1, 3)
    assert (found == world.first[:, None]).any(axis=1).mean() > 0.4  # by chance .25


def test_settings_of_training_are_honoured():
    data = worlds.chain().data
    told = []
    long = {"epochs": 1000, "max_seconds": 0.3, "ema": 0.9, "schedule": "cosine", "clip": 1.0}
    model = build("sasrec", {**SMALL, **long})
    model.watch = lambda *said: told.append(said)
    model.fit(data, Run())
    assert 1 <= len(told) < 1000
    assert told[0][0] == "sasrec/loss"
    with pytest.raises(ConfigError, match="3 heads do not divide 16"):
        build("sasrec", {"dim": 16, "heads": 3})


def test_one_event_each_teaches_nothing():
    data = worlds.dataset([Happening(u, u, u) for u in range(3)], shape=(3, 3))
    with pytest.raises(DataError, match="nobody has two positive events"):
        build("sasrec", SMALL).fit(data, Run())


def test_what_is_no_target_is_history_only():
    """Item 1 always follows item 0, but may not be recommended; item 2 follows it."""
    happenings = [Happening(u, i, u + i) for u in range(30) for i in range(3)]
    data = worlds.dataset(happenings, shape=(30, 3))
    events = data.interactions
    data = replace(data, interactions=replace(events, positive=events.item_rows != 1))
    model = build("sasrec", {**SMALL, "start": "random"}).fit(data, Run())
    scores = model.scores(ask([[0], [0, 1]], 3))
    assert scores[1].argmax() == 2
    assert scores[0, 1] < 1.0


def test_validation_stops_and_knows_nothing_of_what_it_asks():
    world = worlds.chain(n=12, n_walks=250)
    told = []
    model = build("sasrec", {**SMALL, "validation": 0.1, "patience": 2, "finish": 1, "epochs": 60})
    model.watch = lambda *said: told.append(said)
    model.fit(world.data, Run())
    measured = [value for name, _, value in told if name.endswith("measure")]
    assert 3 <= len(measured) < 60
    assert max(measured) > 0.9
    assert measured.index(max(measured)) == len(measured) - 3
    assert told[-1][0] == "sasrec, everything/loss"


def test_the_measure_is_ndcg_among_what_people_did_not_have():
    class Fixed:
        """Answers with the last item's row in the order 0, 1, 2, ..."""

        table = torch.nn.Module()
        log_scale = None

        def items(self, rows=None):
            vectors = torch.arange(6.0, 0.0, -1.0)[:, None]
            return vectors if rows is None else vectors[rows]

        read = staticmethod(lambda vectors: vectors)
        person = staticmethod(lambda hidden: hidden)

    net = Fixed()
    net.table.ids = torch.zeros(6, 1)
    net.body = type("Body", (), {"last": staticmethod(lambda vectors, times, lengths: torch.ones(len(lengths), 1))})()
    events = worlds.dataset(
        [Happening(0, i, day) for day, i in enumerate((0, 1, 3))]
        + [Happening(1, i, day) for day, i in enumerate((4, 2))],
        shape=(2, 6),
    ).interactions
    everyone = by_person(events, timed=True)
    there = np.array([True, True, True, True, True, False])
    held = np.arange(2)
    # Scores fall with the row: person 0's item 3 is fourth, second without 0 and 1; person 1's item 2 is third.
    keep = Validation(net, everyone, held, there, 50, drop=False)()
    assert keep == pytest.approx((1 / np.log2(5) + 1 / np.log2(4)) / 2)
    drop = Validation(net, everyone, held, there, 50, drop=True)()
    assert drop == pytest.approx((1 / np.log2(3) + 1 / np.log2(4)) / 2)


def test_items_begin_near_those_that_are_near_them():
    data = worlds.chain(n=20, n_walks=60).data
    near = near_start(by_person(data.interactions, timed=True), (22, 8), np.random.default_rng(0))
    assert near.shape == (22, 8)
    assert not near[20:].any()
    unit = near[:20] / np.linalg.norm(near[:20], axis=1, keepdims=True)
    cosines = unit @ unit.T
    apart = np.abs(np.arange(20)[:, None] - np.arange(20))
    apart = np.minimum(apart, 20 - apart)
    assert cosines[apart == 1].mean() > cosines[apart == 3].mean() > cosines[apart == 8].mean()
    sparse = near_start(by_person(data.interactions, timed=True), (200, 3), np.random.default_rng(0))
    dense = near_start(by_person(data.interactions, timed=True), (22, 3), np.random.default_rng(0))
    assert np.allclose(np.abs(sparse[:20] @ sparse[:20].T), np.abs(dense[:20] @ dense[:20].T), atol=0.05)


def shelves(n=6, *, held=()):
    """Twelve walks a shelf: who took a cat thing takes the next cat thing. Items of ``held`` are never taken."""
    titles = [f"{kind} number {place}" for kind in ("cat", "car", "mug") for place in ("one", "two", "three", "four")]
    happenings = [
        Happening(u, 4 * (u % 3) + step, u + step)
        for u in range(36)
        for step in range(4)
        if 4 * (u % 3) + step not in held
    ]
    return worlds.dataset(happenings, shape=(36, 12), texts=titles, scenario=Scenario(seen="drop"))


def test_new_items_are_found_by_their_text():
    data, words = shelves(held=(3, 7, 11)), Words()
    model = Sasrec(SasrecConfig(**SMALL, text="add", forget=0.5), encoder=words).fit(data, Run())
    query = replace(ask([[0, 1, 2], [4, 5, 6]], 12), allowed=np.isin(np.arange(12), [3, 7, 11]))
    assert model.retrieve(query, 1).item_rows.tolist() == [3, 7]
    model.put_items(np.array([13], dtype=np.int32), words.encode(["car number four"]))
    grown = replace(ask([[0, 1, 2], [4, 5, 6]], 14), allowed=np.isin(np.arange(14), [3, 11, 13]))
    assert model.retrieve(grown, 1).item_rows.tolist() == [3, 13]
    assert not model.scores(grown)[:, 12].any()
    again = Sasrec(SasrecConfig(**SMALL, text="add")).load_state(model.state())
    assert np.allclose(again.scores(grown), model.scores(grown), atol=1e-6)
    with pytest.raises(DataError, match="reads vectors of 32 numbers and was given 3"):
        model.put_items(np.array([1], dtype=np.int32), np.ones((1, 3), dtype=np.float32))


def test_without_texts_new_items_change_nothing(fitted):
    model, query = fitted("sasrec"), ask([[2, 3, 4]], 14)
    before = model.scores(query)
    model.put_items(np.array([13], dtype=np.int32), np.ones((1, 4), dtype=np.float32))
    assert np.array_equal(model.scores(query), before)


def test_a_warm_start_is_there_in_a_share_of_the_epochs(fitted):
    world, cold = worlds.chain(), fitted("sasrec")
    few = {**SMALL, "epochs": 4, "warm": 0.25, "start": "random"}

    def hits(model):
        return float((model.retrieve(world.query, 1).item_rows == world.first).mean())

    assert hits(build("sasrec", few).carry(cold.state(), tuple(world.data.item_ids)).fit(world.data, Run())) > 0.9
    assert hits(build("sasrec", few).fit(world.data, Run())) < 0.7


def test_weights_move_to_other_rows(fitted):
    world, cold = worlds.chain(), fitted("sasrec")
    barely = {**SMALL, "epochs": 1, "lr": 1e-6, "start": "random"}
    turned = replace(
        world.data, interactions=replace(world.data.interactions, item_rows=11 - world.data.interactions.item_rows)
    )
    names = [f"i{row}" for row in range(11, -1, -1)]
    warm = build("sasrec", barely).carry(cold.state(), names).fit(turned, Run())
    assert warm.retrieve(ask([[9, 8, 7]], 12), 1).item_rows.tolist() == [6]
    lost = build("sasrec", barely).carry(cold.state(), [f"x{row}" for row in range(12)]).fit(turned, Run())
    assert np.allclose(lost.state()["weights.log_scale"], cold.state()["weights.log_scale"], atol=1e-3)
    assert not np.allclose(np.abs(lost.state()["ids"]).max(), np.abs(cold.state()["ids"]).max(), atol=0.1)


def test_what_is_near_is_turned_into_the_earlier_space():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((20, 4)).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    anchors = (vectors @ turn).astype(np.float32)
    anchors[8:] = 0
    assert np.allclose(turned_onto(vectors, anchors), vectors @ turn, atol=1e-5)
    assert turned_onto(vectors, np.zeros((20, 4), dtype=np.float32)) is vectors


def test_texts_carry_over_to_another_catalogue():
    """Another shop with the same words under other ids: what a model learned of them is there before it learns."""
    words, data = Words(), shelves()
    text = {**SMALL, "text": "add", "forget": 0.5}
    cold = Sasrec(SasrecConfig(**text), encoder=words).fit(data, Run())
    barely = SasrecConfig(**{**text, "epochs": 1, "lr": 1e-6, "start": "random"})
    warm = Sasrec(barely, encoder=words).carry(cold.state(), [f"x{row}" for row in range(12)]).fit(data, Run())
    fresh = Sasrec(barely, encoder=words).fit(data, Run())
    query = ask([[0, 1], [4, 5], [8, 9]], 12)
    shelf = np.arange(3)[:, None]
    hits = [int((m.retrieve(query, 4).item_rows.reshape(3, 4) // 4 == shelf).sum()) for m in (warm, fresh)]
    assert hits[0] > hits[1]


def test_a_text_has_one_length_wherever_it_is_computed():
    assert _TEXT_SHARE == TEXT_SHARE


def test_a_model_of_another_shape_starts_anew():
    data = worlds.chain().data
    small = build("sasrec", {**SMALL, "epochs": 1}).fit(data, Run())
    wide = build("sasrec", {**SMALL, "dim": 8}).carry(small.state(), tuple(data.item_ids)).fit(data, Run())
    assert wide.state()["ids"].shape == (12, 8)
