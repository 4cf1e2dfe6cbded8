"""What holds of every network: packed equals alone, later items move nothing earlier, ONNX equals torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.training.export import run_onnx, to_onnx  # noqa: E402
from inkling.training.nets.bert import Bert  # noqa: E402
from inkling.training.nets.caser import Caser  # noqa: E402
from inkling.training.nets.gru import Gru  # noqa: E402
from inkling.training.nets.hstu import Hstu, time_buckets  # noqa: E402
from inkling.training.nets.ligr import Ligr  # noqa: E402
from inkling.training.nets.sequence import SequenceNet, Served  # noqa: E402
from inkling.training.nets.table import TEXT_SHARE, ItemTable  # noqa: E402
from inkling.training.sequences import Sequences, hidden_items, next_items  # noqa: E402

BODIES = {
    "ligr": lambda: Ligr(8, blocks=2, reach=4),
    "hstu": lambda: Hstu(8, length=9),
    "gru": lambda: Gru(8, blocks=2),
    "caser": lambda: Caser(8, window=3),
    "bert": lambda: Bert(8, length=9),
}
CAUSAL = [name for name in BODIES if name != "bert"]


@pytest.fixture(params=BODIES)
def name(request):
    return request.param


def net_of(name, *, cosine=True, texts=None):
    torch.manual_seed(0)
    net = SequenceNet(ItemTable(torch.randn(30, 8), texts=texts), BODIES[name](), cosine=cosine).eval()
    for value in net.body.parameters():  # away from the small start, so that every part speaks
        value.data += 0.3 * torch.randn(value.shape)
    return net


def sequences(lengths=(4, 7, 1, 3), seed=0):
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n = int(offsets[-1])
    times = np.sort(rng.integers(0, 10**6, n)).astype(np.int64)
    return Sequences(offsets, rng.integers(0, 30, n).astype(np.int32), times, np.ones(n, dtype=np.bool_))


def by_pair(net, batch):
    """Return (previous item, next item, position) -> vector."""
    keys = zip(
        batch.items.ravel()[batch.places].tolist(),
        batch.targets.tolist(),
        batch.layout.times.ravel()[batch.places].tolist(),
        strict=True,
    )
    with torch.no_grad():
        return dict(zip(keys, net(batch), strict=True))


@pytest.mark.parametrize("name", CAUSAL)
def test_packed_equals_one_sequence_a_row(name):
    net, some = net_of(name), sequences()
    packed = by_pair(net, next_items(some, np.arange(4)))
    alone = by_pair(net, next_items(some, np.arange(4), packed=False))
    assert packed.keys() == alone.keys()
    assert len(packed) == 11
    for key in packed:
        assert torch.allclose(packed[key], alone[key], atol=1e-5)


def test_what_reads_both_ways_is_packed_alike():
    net, some = net_of("bert"), sequences((4, 7, 1, 3))
    some.items[:] = np.arange(15)

    def answers(index):
        batch = hidden_items(some, index, share=0.0, last=1.0, rng=np.random.default_rng(0))
        with torch.no_grad():
            return dict(zip(batch.targets.tolist(), net(batch), strict=True))

    together = answers(np.arange(4))
    for index in range(4):
        ((target, vector),) = answers(np.array([index])).items()
        assert torch.allclose(together[target], vector, atol=1e-5)


def test_the_last_place_is_what_is_served(name):
    if name == "bert":
        pytest.skip("it is asked with a mask behind the end, which training has inside")
    net, some = net_of(name), sequences((5,))
    with torch.no_grad():
        trained = net(next_items(some, np.array([0])))[-1]  # at the fourth item
        items = torch.from_numpy(some.items[:4].astype(np.int64))[None]
        served = Served(net)(net.items(items), torch.from_numpy(some.times[:4])[None], torch.tensor([4]))[0]
    assert torch.allclose(trained, served, atol=1e-5)


@pytest.mark.parametrize("name", CAUSAL)
def test_a_later_item_moves_no_earlier_prediction(name):
    net, first = net_of(name), sequences((6,))
    second = Sequences(first.offsets, first.items.copy(), first.times.copy(), first.target)
    second.items[4] = (second.items[4] + 1) % 30
    second.times[4] += 1
    with torch.no_grad():
        before, after = (net(next_items(some, np.array([0]))) for some in (first, second))
    assert torch.allclose(before[:4], after[:4], atol=1e-6)
    assert not torch.allclose(before[4], after[4], atol=1e-3)


@pytest.mark.parametrize("cosine", [True, False])
def test_onnx_answers_as_torch_for_any_length(name, cosine):
    served = Served(net_of(name, cosine=cosine))
    example = {
        "vectors": torch.randn(2, 3, 8),
        "times": torch.arange(6).reshape(2, 3) * 1000,
        "lengths": torch.tensor([3, 2]),
    }
    free = {"vectors": {0: "b", 1: "l"}, "times": {0: "b", 1: "l"}, "lengths": {0: "b"}, "people": {0: "b"}}
    data = to_onnx(served, example, ["people"], free=free)
    for shape in ((1, 1), (3, 9), (2, 5)):
        lengths = torch.randint(1, shape[1] + 1, (shape[0],))
        given = torch.randn(*shape, 8), torch.randint(0, 10**6, shape).cumsum(1), lengths
        (found,) = run_onnx(data, dict(zip(example, (part.numpy() for part in given), strict=True)))
        with torch.no_grad():
            assert np.allclose(found, served(*given).numpy(), atol=1e-4)


def test_what_lies_behind_the_end_is_not_read(name):
    served = Served(net_of(name))
    vectors, times = torch.randn(1, 5, 8), torch.arange(5)[None] * 1000
    other = vectors.clone()
    other[:, 3:] += 5.0
    with torch.no_grad():
        answers = [served(some, times, torch.tensor([3])) for some in (vectors, other)]
        answers.append(served(vectors[:, :3], times[:, :3], torch.tensor([3])))
    assert torch.allclose(answers[0], answers[1], atol=1e-6)
    assert torch.allclose(answers[0], answers[2], atol=1e-5)


def test_order_matters(name):
    served = Served(net_of(name))
    vectors, times = torch.randn(1, 4, 8), torch.zeros(1, 4, dtype=torch.int64)
    with torch.no_grad():
        there, back = (served(some, times, torch.tensor([4])) for some in (vectors, vectors.flip(1)))
    assert not torch.allclose(there, back, atol=1e-3)


def test_only_hstu_reads_times():
    for name in BODIES:
        served = Served(net_of(name))
        vectors, times = torch.randn(1, 4, 8), torch.tensor([[0, 60, 3600, 86400]])
        with torch.no_grad():
            slow, fast = (served(vectors, some, torch.tensor([4])) for some in (times * 100, times // 60))
        assert torch.allclose(slow, fast, atol=1e-5) == (name != "hstu")


def test_time_is_told_apart_by_its_magnitude():
    ages = torch.tensor([-5, 0, 1, 2, 3, 4, 60, 3600, 86400, 10**9])
    assert time_buckets(ages).tolist() == [0, 0, 1, 2, 2, 3, 6, 12, 17, 30]


def test_hstu_is_the_papers_sum():
    torch.manual_seed(0)
    body = Hstu(4, blocks=1, heads=1, dropout=0.0, length=3)
    unit = body.blocks[0]
    for value in body.parameters():
        value.data += 0.3 * torch.randn(value.shape)
    x, times = torch.randn(3, 4), torch.tensor([0, 100, 5000])

    def silu(z):
        return z / (1 + torch.exp(-z))

    with torch.no_grad():
        u, v, q, k = silu(unit.uvqk(unit.before(x))).chunk(4, dim=-1)
        slow = torch.zeros(3, 4)
        for i in range(3):
            for j in range(i + 1):
                age = time_buckets(times[i] - times[j])
                slow[i] += silu(q[i] @ k[j] + unit.by_place[0, i - j] + unit.by_age[0, age]) * v[j] / 3
        slow = x + unit.out(unit.within(slow) * u)
        layout = next_items(
            Sequences(np.array([0, 3]), np.zeros(3, np.int32), times.numpy(), np.ones(3, np.bool_)), np.array([0])
        ).layout
        assert torch.allclose(body(x[None], layout)[0], body.norm(slow), atol=1e-5)


def test_caser_is_the_papers_convolution():
    torch.manual_seed(0)
    body = Caser(4, window=3, horizontal=2, vertical=2, dropout=0.0)
    x = torch.randn(1, 3, 4)
    with torch.no_grad():
        found = [
            torch.relu(torch.nn.functional.conv2d(x[None], layer.weight.view(2, 1, height, 4), layer.bias))
            .squeeze(-1)
            .amax(-1)
            for height, layer in enumerate(body.across, start=1)
        ]
        down = torch.nn.functional.conv2d(x[None], body.down.weight.view(2, 1, 3, 1)).squeeze(2)  # (1, 2, 4)
        slow = body.out(torch.cat([*found, down.transpose(1, 2).reshape(1, 8)], dim=1))
        times, lengths = torch.zeros(1, 3, dtype=torch.int64), torch.tensor([3])
        assert torch.allclose(body.last(x, times, lengths), slow, atol=1e-5)


def test_an_item_is_its_own_vector_and_its_text():
    texts = torch.zeros(30, 5)
    texts[3] = torch.randn(5)
    torch.manual_seed(0)
    table = ItemTable(torch.randn(30, 8), texts=texts, forget=0.5)
    table.eval()
    with torch.no_grad():
        assert torch.allclose(table()[3], table.ids[3] + table.said(texts[3]))
        assert torch.allclose(table(torch.tensor([3, 4])), table()[3:5])
        assert torch.equal(table()[4], table.ids[4])
        table.train()
        forgotten = table().norm(dim=1) < TEXT_SHARE + 1e-5
        assert table.said(texts)[3].norm().item() == pytest.approx(TEXT_SHARE)
    assert 5 < int(forgotten.sum()) < 25
