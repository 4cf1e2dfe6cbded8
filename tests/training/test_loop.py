import math
import time

import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.core.errors import StoreError  # noqa: E402
from inkling.core.run import Run  # noqa: E402
from inkling.training.loop import Around, Plan, train  # noqa: E402
from inkling.training.optim import Optim  # noqa: E402


class Line:
    """Learning y = 3x + 1, with noise that torch draws, so that random numbers count."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        self.model = torch.nn.Linear(1, 1)
        self.x = torch.linspace(-1, 1, 64)[:, None]

    def batches(self, epoch):
        order = torch.randperm(64, generator=torch.Generator().manual_seed(epoch))
        return [self.x[part] for part in order.split(16)]

    def loss(self, x):
        noise = 0.1 * torch.randn(x.shape)
        return (self.model(x) - 3 * x - 1 + noise).square().mean()

    def error(self):
        return -(self.model(self.x) - 3 * self.x - 1).square().mean().item()

    def weights(self):
        return [value.item() for value in self.model.parameters()]


def fit(line, around=None, run=None, **plan):
    made = Plan(**{"epochs": 30, "optim": Optim("adam", lr=0.1), **plan})
    return train(line.model, line.batches, line.loss, made, run or Run(seed=3), around)


def test_it_learns_and_says_what_it_did():
    line, told, seen = Line(), [], []
    around = Around(measure=line.error, watch=lambda *said: told.append(said))
    done = fit(line, around, Run(seed=3, progress=lambda *said: seen.append(said)))
    assert line.weights() == pytest.approx([3, 1], abs=0.1)
    assert (done.epochs, done.stopped) == (30, "epochs")
    assert done.losses[-1] < 0.1 < done.losses[0]
    assert done.best == pytest.approx(line.error())
    assert seen[-1] == ("training", 30, 30)
    assert told[0][:2] == ("training/loss", 4)
    assert told[1][0] == "training/measure"


def test_the_best_weights_are_kept_and_patience_ends_it():
    line = Line()
    values = iter([1.0, 5.0, 2.0, 3.0, 4.0])
    kept = []

    def measure():
        kept.append(line.weights())
        return next(values)

    done = fit(line, Around(measure=measure), patience=3)
    assert (done.epochs, done.best_epoch, done.best, done.stopped) == (5, 2, 5.0, "patience")
    assert line.weights() == kept[1]


@pytest.mark.parametrize("plan", [{}, {"ema": 0.9, "shape": "cosine", "warmup": 0.1, "clip": 1.0}])
def test_the_same_seed_gives_the_same_weights(plan):
    first, second, other = Line(), Line(), Line()
    state = torch.get_rng_state()
    fit(first, **plan)
    assert torch.equal(torch.get_rng_state(), state)
    fit(second, **plan)
    fit(other, run=Run(seed=4), **plan)
    assert first.weights() == second.weights() != other.weights()


def test_a_budget_of_seconds_ends_it_within_an_epoch():
    line = Line()

    def slow(x):
        time.sleep(0.02)
        return line.loss(x)

    done = train(line.model, line.batches, slow, Plan(epochs=1000, max_seconds=0.15, shape="linear"), Run())
    assert done.stopped == "seconds"
    assert 1 <= done.epochs < 5
    assert 0.15 <= done.seconds < 1.0


def test_the_running_mean_is_what_is_measured_and_kept():
    line, plain = Line(), Line()
    measured = []
    fit(line, Around(measure=lambda: measured.append(line.weights()) or 0.0), ema=0.99)
    fit(plain, epochs=1)
    assert line.weights() == measured[0]
    assert measured[0] != plain.weights()


def test_a_large_gradient_is_clipped():
    free, held = Line(), Line()
    sgd = Optim("sgd", lr=1.0)
    before = free.weights()
    fit(free, epochs=1, optim=sgd)
    fit(held, epochs=1, optim=sgd, clip=1e-3)
    assert math.dist(before, held.weights()) <= 4.001e-3 < math.dist(before, free.weights())


def test_bf16_learns_too():
    line = Line()
    fit(line, bf16=True)
    assert line.weights() == pytest.approx([3, 1], abs=0.2)
    assert line.model.weight.dtype == torch.float32


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_resumed_training_ends_where_the_whole_would(tmp_path, ema):
    whole, stopped, resumed = Line(), Line(), Line(seed=9)
    plan = {"shape": "cosine", "epochs": 8, "ema": ema}
    expected = fit(whole, Around(measure=whole.error), **plan)
    calls = []

    def measure():
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return stopped.error()

    with pytest.raises(KeyboardInterrupt):
        fit(stopped, Around(measure=measure, checkpoint=tmp_path), **plan)
    done = fit(resumed, Around(measure=resumed.error, checkpoint=tmp_path), **plan)
    assert resumed.weights() == whole.weights()
    assert (done.measured, done.losses) == (expected.measured, expected.losses)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_altered_checkpoint_and_one_of_another_model_are_refused(tmp_path):
    fit(Line(), Around(checkpoint=tmp_path), epochs=1)
    wrong = Line()
    wrong.model = torch.nn.Linear(1, 2)
    with pytest.raises(StoreError, match="another model"):
        fit(wrong, Around(checkpoint=tmp_path), epochs=1)
    path = next(tmp_path.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match="not what was written"):
        fit(Line(), Around(checkpoint=tmp_path), epochs=1)


def test_batches_may_be_gathered_into_one_move():
    whole, parts = Line(), Line()
    seen = []
    quiet = {"optim": Optim("sgd", lr=0.1), "epochs": 2}
    whole.loss = lambda x: (whole.model(x) - 3 * x - 1).square().mean()
    parts.loss = lambda x: (parts.model(x) - 3 * x - 1).square().mean()
    whole.batches = lambda epoch: [whole.x]
    fit(whole, **quiet)
    fit(parts, Around(stepped=seen.append), accumulate=4, **quiet)
    assert parts.weights() == pytest.approx(whole.weights(), abs=1e-6)
    assert seen == [1, 2]


def test_a_last_group_that_is_not_full_moves_too():
    line, seen = Line(), []
    fit(line, Around(stepped=seen.append), accumulate=3, epochs=1)
    assert seen == [1, 2]
