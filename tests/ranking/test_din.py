import pytest

from inkling.testing.ranking import RankerContract

pytest.importorskip("torch", reason="networks are trained by torch")


class TestDinContract(RankerContract):
    name = "din"
    settings = {"epochs": 4, "learning_rate": 0.01, "hidden": [16]}


class TestDinPointwiseContract(RankerContract):
    name = "din"
    settings = {"epochs": 8, "learning_rate": 0.01, "hidden": [16], "loss": "pointwise", "numbers": "quantile"}
