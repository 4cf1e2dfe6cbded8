import math

import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.core.errors import ConfigError  # noqa: E402
from inkling.training.samplers import Popularity, Uniform, in_batch  # noqa: E402


def seed(n=0):
    return torch.Generator().manual_seed(n)


def test_uniform_is_even_and_says_so():
    rows, log_q = Uniform(5).draw((4000, 5), seed())
    shares = torch.bincount(rows.ravel(), minlength=5) / rows.numel()
    assert torch.allclose(shares, torch.full((5,), 0.2), atol=0.01)
    assert torch.allclose(log_q, torch.full(rows.shape, -math.log(5)))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_popularity_is_drawn_as_it_says(alpha):
    counts = torch.tensor([0, 1, 4, 0, 16, 0])
    sampler = Popularity(counts, alpha=alpha)
    rows, log_q = sampler.draw((50000,), seed())
    powers = torch.where(counts > 0, counts.double() ** alpha, 0.0)
    expected = (powers / powers.sum()).float()
    assert torch.allclose(torch.bincount(rows, minlength=6) / 50000, expected, atol=0.01)
    assert torch.allclose(log_q.exp(), expected[rows], rtol=1e-5)


def test_the_same_seed_draws_the_same():
    sampler = Popularity(torch.arange(10))
    assert torch.equal(sampler.draw((50,), seed(1))[0], sampler.draw((50,), seed(1))[0])
    assert not torch.equal(sampler.draw((50,), seed(1))[0], sampler.draw((50,), seed(2))[0])


def test_a_batch_is_its_own_negatives():
    sampler = Popularity(torch.tensor([1, 3]))
    rows, log_q = in_batch(torch.tensor([1, 0, 1]), sampler)
    assert rows.tolist() == [1, 0, 1]
    assert log_q.exp().tolist() == pytest.approx([0.75, 0.25, 0.75])


def test_nothing_to_draw_from_is_said():
    with pytest.raises(ConfigError, match="0 items"):
        Uniform(0)
    with pytest.raises(ConfigError, match="an item that happened"):
        Popularity(torch.zeros(3))
