import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.testing.retrieval import RetrieverContract  # noqa: E402

TINY = {"dim": 16, "epochs": 3, "negatives": 16}


class TestGru4recContract(RetrieverContract):
    name = "gru4rec"
    settings = TINY
