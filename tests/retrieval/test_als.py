import numpy as np
import pytest
from scipy.sparse import csr_array

from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.retrieval._als import Weighing, blocks_of
from inkling.retrieval.als import AlsConfig, alternate
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract

SMALL = {"factors": 8, "iterations": 4, "l2": 0.5}


class TestAlsContract(RetrieverContract):
    name = "als"
    settings = SMALL


class TestAlsExactContract(RetrieverContract):
    name = "als"
    settings = {**SMALL, "solver": "exact", "signal": "log", "l2_power": 0.7, "fit_half_life_days": 60.0}


class TestAlsSumContract(RetrieverContract):
    name = "als"
    settings = {**SMALL, "factors": 3, "signal": "sum", "repeats": "event", "half_life_days": 30.0}


def random_matrix(*, shape=(50, 40), seed=1):
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random(shape) < 0.2, rng.integers(1, 5, shape), 0).astype(np.float32)
    dense[7] = 0
    dense[:, 9] = 0
    dense[:, 3] = 1
    return csr_array(dense)


def slow_alternate(matrix, config):
    """The normal equations of Hu, Koren, Volinsky as they are written, row by row."""
    dense = matrix.toarray().astype(np.float64)
    rng = Run(seed=3).rng("als")
    items = rng.standard_normal((dense.shape[1], config.factors), dtype=np.float32) * 0.1 / np.sqrt(config.factors)
    items[~dense.any(axis=0)] = 0

    def solve(fixed, amounts):
        rows = []
        for row in amounts:
            confidence = np.diag(1 + config.alpha * row)
            system = fixed.T @ confidence @ fixed + config.l2 * np.eye(config.factors)
            rows.append(np.linalg.solve(system, fixed.T @ confidence @ (row > 0)))
        return np.array(rows)

    for _ in range(config.iterations):
        people = solve(items, dense)
        items = solve(people, dense.T)
    return people, items


@pytest.mark.parametrize("settings", [{"solver": "exact"}, {"solver": "cg", "cg_steps": 8}])
def test_equals_the_normal_equations_row_by_row(settings):
    matrix, config = random_matrix(), AlsConfig(factors=5, iterations=6, alpha=3.0, l2=0.7, **settings)
    items, spectrum = alternate(matrix.copy(), config, Run(seed=3))
    _, expected = slow_alternate(matrix, config)
    assert np.allclose(items @ items.T, expected @ expected.T, atol=2e-4)
    assert np.allclose(items.T @ items, np.diag(spectrum), atol=1e-4)
    assert not items[9].any()


def test_few_steps_of_conjugate_gradient_come_to_the_exact_objective():
    matrix = random_matrix()
    found = [
        alternate(matrix.copy(), AlsConfig(factors=6, iterations=25, l2=2.0, solver=solver), Run(seed=3))[0]
        for solver in ("cg", "exact")
    ]
    norms = [float(np.linalg.norm(items @ items.T)) for items in found]
    assert norms[0] == pytest.approx(norms[1], rel=0.02)


def test_a_person_of_the_training_data_is_folded_in_as_they_were_solved():
    data = worlds.shop()
    model = build("als", {"factors": 4, "iterations": 5, "l2": 0.3, "alpha": 2.0, "signal": "sum", "repeats": "event"})
    scores = model.fit(data, Run(seed=3)).scores(data.query(np.arange(20, dtype=np.int32)))
    vectors = model.state()["vectors"].astype(np.float64)
    events = data.interactions
    for person in (0, 7, 19):
        amounts = np.zeros(30)
        mine = events.user_rows == person
        np.add.at(amounts, events.item_rows[mine], events.weights[mine])
        system = (vectors.T * (1 + 2.0 * amounts)) @ vectors + 0.3 * np.eye(4)
        person_vector = np.linalg.solve(system, vectors.T @ ((1 + 2.0 * amounts) * (amounts > 0)))
        assert np.allclose(scores[person], vectors @ person_vector, atol=1e-5)


def test_the_withheld_diagonal_comes_first():
    world = worlds.checkerboard()
    model = build("als", {"factors": 2, "iterations": 10, "l2": 0.1}).fit(world.data, Run())
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()


def test_threads_do_not_move_the_answer():
    matrix, config = random_matrix(), AlsConfig(factors=6, iterations=3)
    one, two = (alternate(matrix.copy(), config, Run(seed=1, n_threads=n))[0] for n in (1, 2))
    assert np.array_equal(one, two)


def test_grounds_sum_up_to_the_score():
    data = worlds.shop()
    model = build("als", {**SMALL, "l2_power": 0.5}).fit(data, Run())
    query = data.query(np.array([2], dtype=np.int32))
    best = int(model.retrieve(query, 1).item_rows[0])
    total = sum(because.weight for because in model.why(query, best))
    assert total == pytest.approx(float(model.scores(query)[0, best]), abs=1e-5)


def test_nothing_known_is_no_signal():
    model = build("als", SMALL).fit(worlds.shop(), Run())
    nobody = Query(History.empty(1), np.zeros(1, dtype=np.int64), 30, np.full(1, -1, dtype=np.int32))
    assert not model.scores(nobody).any()
    assert model.why(nobody, 3) == ()


def test_old_events_count_less():
    def vectors(old_weight, half_life):
        rng = np.random.default_rng(5)
        happenings = [
            worlds.Happening(u, i, age, weight=1.0 if age else old_weight)
            for u in range(12)
            for i, age in zip(rng.permutation(8)[:4].tolist(), (0, 0, 5, 5), strict=True)
        ]
        model = build("als", {**SMALL, "fit_half_life_days": half_life})
        return model.fit(worlds.dataset(happenings, shape=(12, 8)), Run()).state()["vectors"]

    assert np.allclose(vectors(1.0, 5.0), vectors(0.5, 0.0), atol=1e-6)
    assert not np.allclose(vectors(1.0, 5.0), vectors(1.0, 0.0), atol=1e-3)


def test_rows_with_more_observations_are_regularised_more():
    weighing = Weighing(alpha=2.0, l2=3.0, power=1.0)
    few, mean, many = weighing.l2_of(np.array([1, 10, 100]), 10.0, 50)
    assert few < mean < many
    assert mean == pytest.approx(3.0)
    assert many == pytest.approx(3.0 * (2 * 100 + 50) / (2 * 10 + 50))


def test_blocks_hold_each_row_once_with_little_padding():
    rng = np.random.default_rng(0)
    lengths = np.concatenate([rng.geometric(0.1, 300), [0, 700, 800, 900]])
    indices = np.concatenate([rng.permutation(1000)[:n] for n in lengths])
    matrix = csr_array((np.ones(len(indices), np.float32), indices, np.cumsum([0, *lengths])), shape=(304, 1000))
    blocks = blocks_of(matrix, 64, Weighing(1.0, 1.0))
    assert sorted(np.concatenate([block.rows for block in blocks]).tolist()) == np.flatnonzero(lengths).tolist()
    assert sum(block.amounts.size for block in blocks) < 1.1 * len(indices)
    for block in blocks:
        for row, columns, amounts in zip(block.rows, block.columns, block.amounts, strict=True):
            assert sorted(columns[amounts > 0].tolist()) == sorted(matrix[[row]].indices.tolist())
