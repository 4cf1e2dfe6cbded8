import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.training import losses  # noqa: E402


@pytest.fixture
def logits():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, generator=generator), torch.randn(6, 4, generator=generator)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_bce_is_the_papers_sum(logits):
    positive, negative = (part.numpy().astype(np.float64) for part in logits)
    slow = -np.mean([(np.log(sigmoid(p)) + np.log(1 - sigmoid(n)).sum()) / 5 for p, n in zip(positive, negative)])  # noqa: B905
    assert losses.bce(*logits).item() == pytest.approx(slow, rel=1e-5)


def test_gbce_is_bce_with_a_power(logits):
    positive, negative = (part.numpy().astype(np.float64) for part in logits)
    each = [(np.log(sigmoid(p) ** 0.3) + np.log(1 - sigmoid(n)).sum()) / 5 for p, n in zip(positive, negative)]  # noqa: B905
    assert losses.gbce(*logits, beta=0.3).item() == pytest.approx(-np.mean(each), rel=1e-5)


def test_gbce_beta_runs_from_plain_to_calibrated():
    rate = 64 / 999
    assert losses.gbce_beta(64, 1000, t=0.0) == pytest.approx(1.0)
    assert losses.gbce_beta(64, 1000, t=1.0) == pytest.approx(rate)
    assert losses.gbce_beta(64, 1000, t=0.75) == pytest.approx(rate * (0.75 * (1 - 1 / rate) + 1 / rate))


def test_bpr_is_the_mean_over_pairs(logits):
    positive, negative = (part.numpy().astype(np.float64) for part in logits)
    slow = -np.log(sigmoid(positive[:, None] - negative)).mean()
    assert losses.bpr(*logits).item() == pytest.approx(slow, rel=1e-5)


def test_mse(logits):
    positive = logits[0]
    assert losses.mse(positive, torch.zeros(6)).item() == pytest.approx(float((positive**2).mean()))


@pytest.mark.parametrize("name", ["bce", "bpr", "sampled_softmax"])
def test_weights_leave_out_what_weighs_nothing(logits, name):
    positive, negative = logits
    loss = getattr(losses, name)
    weights = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    assert loss(positive, negative, weights=weights).item() == pytest.approx(loss(positive[:3], negative[:3]).item())


def parts(n=300, n_items=23):
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(n, 8, generator=generator).requires_grad_()
    items = torch.randn(n_items, 8, generator=generator).requires_grad_()
    bias = torch.randn(n_items, generator=generator).requires_grad_()
    targets = torch.randint(n_items, (n,), generator=generator)
    return hidden, items, bias, targets, torch.rand(n, generator=generator)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_softmax_in_chunks_equals_torchs_cross_entropy(biased, weighted):
    hidden, items, bias, targets, weights = parts()
    share = weights / weights.sum() if weighted else torch.full((300,), 1 / 300)
    logits = hidden @ items.T / 0.7 + (bias if biased else 0)
    slow = (torch.nn.functional.cross_entropy(logits, targets, reduction="none") * share).sum()
    leaves = [hidden, items, *([bias] if biased else [])]
    expected = torch.autograd.grad(3.0 * slow, leaves)
    fast = losses.softmax(
        hidden, items, targets, bias=bias if biased else None, weights=weights if weighted else None, temperature=0.7
    )
    assert fast.item() == pytest.approx(slow.item(), rel=1e-5)
    for got, want in zip(torch.autograd.grad(3.0 * fast, leaves), expected, strict=True):
        assert torch.allclose(got, want, atol=1e-5)


def test_softmax_in_half_precision_is_near():
    hidden, items, _, targets, _ = parts()
    exact, rough = (losses.softmax(hidden, items, targets, bf16=bf16) for bf16 in (False, True))
    assert rough.item() == pytest.approx(exact.item(), rel=0.02)
    grad = torch.autograd.grad(rough, items)[0]
    assert grad.dtype == torch.float32
    assert (
        torch.nn.functional.cosine_similarity(grad.ravel(), torch.autograd.grad(exact, items)[0].ravel(), dim=0) > 0.99
    )


def test_softmax_survives_huge_logits():
    hidden = torch.tensor([[1000.0]], requires_grad=True)
    loss = losses.softmax(hidden, torch.tensor([[1.0], [-1.0]]), torch.tensor([1]))
    assert loss.item() == pytest.approx(2000.0)


def test_sampled_softmax_with_every_item_drawn_once_is_the_whole():
    hidden, items, _, targets, _ = parts(20)
    logits = hidden @ items.T
    positive = logits.gather(1, targets[:, None])[:, 0]
    hits = targets[:, None] == torch.arange(23)
    sampled = losses.sampled_softmax(positive, logits, log_expected=torch.zeros(23), hits=hits)
    assert sampled.item() == pytest.approx(losses.softmax(hidden, items, targets).item(), rel=1e-5)


def test_the_correction_makes_a_biased_draw_right():
    hidden, items, _, targets, _ = parts(200)
    hidden, items = hidden.detach() * 0.3, items.detach() * 0.3
    hidden[:, 0], items[:, 0] = 1.0, torch.linspace(-2, 2, 23)  # what is drawn often also scores high
    q = torch.arange(1, 24).float() ** 2
    q = q / q.sum()
    drawn = torch.multinomial(q, 20000, replacement=True, generator=torch.Generator().manual_seed(2))
    positive = (hidden * items[targets]).sum(1)
    hits = targets[:, None] == drawn
    full = losses.softmax(hidden, items, targets).item()
    right = losses.sampled_softmax(
        positive, hidden @ items[drawn].T, log_expected=torch.log(20000 * q[drawn]), hits=hits
    )
    even = np.full(20000, np.log(20000 / 23), dtype=np.float32)
    wrong = losses.sampled_softmax(positive, hidden @ items[drawn].T, log_expected=torch.from_numpy(even), hits=hits)
    assert right.item() == pytest.approx(full, rel=0.01)
    assert abs(wrong.item() - full) > 5 * abs(right.item() - full)


def learned(n_negatives):
    """Forty people in two camps; each takes six items of their camp and one of the other's.

    Returns scores (40, 20) and the chance that an own item not taken is above one of the others'.
    """
    generator = torch.Generator().manual_seed(3)
    people = torch.nn.Parameter(torch.randn(40, 8, generator=generator) * 0.1 + 0.3)
    items = torch.nn.Parameter(torch.randn(20, 8, generator=generator) * 0.1 + 0.3)
    who = torch.arange(40).repeat_interleave(7)
    taken = [torch.randperm(10, generator=generator)[:7] for _ in range(40)]
    camps = torch.tensor([0, 0, 0, 0, 0, 0, 1])
    what = torch.cat([rows + 10 * ((camps + u) % 2) for u, rows in enumerate(taken)])
    optimizer = torch.optim.Adam([people, items], lr=0.05)
    for _ in range(60):
        drawn = torch.randint(20, (len(who), n_negatives), generator=generator)
        negative = (people[who][:, None] * items[drawn]).sum(-1)
        loss = losses.bce((people[who] * items[what]).sum(-1), negative)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scores = (people @ items.T).detach()
    seen = torch.zeros(40, 20, dtype=torch.bool)
    seen[who, what] = True
    own = (torch.arange(20) // 10)[None] == (torch.arange(40) % 2)[:, None]
    hidden = own & ~seen
    other = ~own & ~seen
    order = [(scores[u][hidden[u]][:, None] > scores[u][other[u]][None]).float().mean() for u in range(40)]
    return scores, torch.stack(order).mean().item()


def test_bce_without_negatives_collapses_and_with_them_does_not():
    scores, order = learned(0)
    assert (scores > 0).all()
    assert order < 0.6
    scores, order = learned(3)
    assert (scores < 0).float().mean() > 0.2
    assert order > 0.75
