import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.core.errors import InklingError  # noqa: E402
from inkling.training.export import run_onnx, to_onnx  # noqa: E402


def test_the_exported_network_answers_alike_for_any_size():
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.SiLU(), torch.nn.Linear(5, 2))
    data = to_onnx(net, {"x": torch.randn(2, 3)}, ["y"], free={"x": {0: "batch"}, "y": {0: "batch"}})
    x = torch.randn(7, 3)
    (found,) = run_onnx(data, {"x": x.numpy()})
    assert np.allclose(found, net(x).detach().numpy(), atol=1e-6)


class Restless(torch.nn.Module):
    n_calls = 0

    def forward(self, x):
        self.n_calls += 1
        return x * float(self.n_calls)


def test_an_export_that_differs_is_refused():
    with pytest.raises(InklingError, match="off torch's answer"):
        to_onnx(Restless(), {"x": torch.ones(2, 3)}, ["y"], free={})
