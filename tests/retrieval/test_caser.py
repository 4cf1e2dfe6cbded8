import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.testing.retrieval import RetrieverContract  # noqa: E402

TINY = {"dim": 16, "epochs": 3, "negatives": 16}


class TestCaserContract(RetrieverContract):
    name = "caser"
    settings = TINY
