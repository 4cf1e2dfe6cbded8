import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.core.errors import ConfigError  # noqa: E402
from inkling.training.optim import Optim, optimizer, schedule  # noqa: E402


def moved(optim, grad=0.0):
    parameter = torch.nn.Parameter(torch.tensor([2.0]))
    parameter.grad = torch.tensor([grad])
    optimizer([parameter], optim).step()
    return parameter.item()


def test_decoupled_decay_shrinks_by_the_rate_and_coupled_l2_goes_through_adam():
    assert moved(Optim("adamw", lr=0.1, weight_decay=0.5)) == pytest.approx(2.0 * (1 - 0.1 * 0.5))
    assert moved(Optim("adam", lr=0.1, l2=0.5)) == pytest.approx(1.9)  # Adam's first step is of length lr
    assert moved(Optim("sgd", lr=0.1, l2=0.5)) == pytest.approx(2.0 - 0.1 * 0.5 * 2.0)
    assert moved(Optim("sgd", lr=0.1), grad=1.0) == pytest.approx(1.9)


def test_the_other_name_is_refused():
    with pytest.raises(ConfigError, match="'adamw' has no l2"):
        moved(Optim("adamw", l2=0.1))
    with pytest.raises(ConfigError, match="'adam' has no weight_decay"):
        moved(Optim("adam", weight_decay=0.1))
    with pytest.raises(ConfigError, match="'sgd' has no weight_decay"):
        moved(Optim("sgd", weight_decay=0.1))


def test_schedules():
    assert [schedule("constant")(x) for x in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0]
    assert [schedule("linear", floor=0.1)(x) for x in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.55, 0.1])
    cosine = schedule("cosine", warmup=0.2)
    assert [cosine(x) for x in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])
