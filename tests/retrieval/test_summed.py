import numpy as np
import pytest
from scipy.sparse import csr_array

from inkling.core.config import parse
from inkling.core.run import Run
from inkling.retrieval._summed import Adam, Objective, SummedConfig, first_vectors, fit_summed, hidden, slopes
from inkling.retrieval.softmax_cf import softmax_loss
from inkling.testing import worlds


def histories(*, shape=(9, 7), seed=2):
    rng = np.random.default_rng(seed)
    return csr_array(np.where(rng.random(shape) < 0.6, rng.integers(1, 4, shape), 0).astype(np.float64))


def test_each_event_is_either_seen_or_predicted():
    had, config = histories(), parse(SummedConfig, {"hide": 0.4, "power": 0.5})
    inputs, targets = hidden(had, config, np.random.default_rng(0))
    seen, wanted = inputs.toarray() > 0, targets.toarray() > 0
    assert not (seen & wanted).any()
    assert np.array_equal(seen | wanted, had.toarray() > 0)
    kept = np.where(seen, had.toarray(), 0)
    total = np.maximum(kept.sum(axis=1, keepdims=True), 1)
    assert np.allclose(inputs.toarray(), kept / np.sqrt(total))


def test_all_may_be_predicted():
    had, config = histories(), parse(SummedConfig, {"predict": "all"})
    inputs, targets = hidden(had, config, np.random.default_rng(0))
    assert np.array_equal(targets.toarray(), had.toarray())
    assert 0 < inputs.count_nonzero() < had.nnz


def test_slopes_equal_finite_differences():
    had = histories()
    inputs, targets = hidden(had, SummedConfig(), np.random.default_rng(1))
    inputs.data = inputs.data.astype(np.float64)
    rng = np.random.default_rng(3)
    parameters = (rng.normal(size=(7, 3)), rng.normal(size=(7, 3)), rng.normal(size=3))

    def loss(people, items, targets, had):
        return softmax_loss(people, items, targets, 0.7)

    def value():
        vectors, own, shared = parameters
        return loss(inputs @ own + shared, vectors, targets, had)[0]

    found = slopes(parameters, inputs, targets, had, loss)
    for parameter, slope in zip(parameters, found, strict=True):
        assert np.allclose(slope, numeric(value, parameter), atol=1e-6)


def numeric(value, parameter, step=1e-5):
    slope = np.zeros_like(parameter)
    for place in np.ndindex(parameter.shape):
        before = parameter[place]
        parameter[place] = before + step
        above = value()
        parameter[place] = before - step
        below = value()
        parameter[place] = before
        slope[place] = (above - below) / (2 * step)
    return slope


def test_adam_finds_the_bottom_of_a_bowl_and_l2_draws_it_to_zero():
    ends = []
    for l2 in (0.0, 1.0):
        x = np.array([5.0, -3.0], dtype=np.float32)
        adam = Adam((x,), total=400, rate=0.1)
        for _ in range(400):
            adam.step((2 * (x - np.array([1.0, 2.0], dtype=np.float32)),), l2=l2)
        ends.append(x)
    assert np.allclose(ends[0], [1.0, 2.0], atol=1e-2)
    assert np.allclose(ends[1], [0.5, 1.0], atol=1e-2)


def test_positive_vectors_stay_positive():
    trained = fit_summed(
        worlds.shop(),
        SummedConfig(factors=4, epochs=3, learning_rate=0.2),
        Objective("x", lambda people, items, targets, had: softmax_loss(people, items, targets, 1.0), positive=True),
        Run(),
    )
    assert min(trained.vectors.min(), trained.inputs.min(), trained.shared.min()) == 0.0


def test_items_without_events_have_no_vector():
    happenings = [worlds.Happening(u, i, i) for u in range(4) for i in (0, 2)]
    trained = fit_summed(
        worlds.dataset(happenings, shape=(5, 4)),
        SummedConfig(factors=3, epochs=2),
        Objective("x", lambda people, items, targets, had: softmax_loss(people, items, targets, 1.0), positive=False),
        Run(),
    )
    assert trained.vectors.any(axis=1).tolist() == [True, False, True, False]
    assert trained.inputs.any(axis=1).tolist() == [True, False, True, False]


@pytest.mark.parametrize("positive", [True, False])
def test_first_vectors_have_about_unit_length(positive):
    vectors, _, _ = first_vectors(500, 64, np.random.default_rng(0), positive=positive)
    assert np.linalg.norm(vectors, axis=1).mean() == pytest.approx(1.0, rel=0.05)
    assert (vectors.min() >= 0) == positive
