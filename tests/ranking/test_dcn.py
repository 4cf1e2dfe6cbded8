import pytest

from inkling.testing.ranking import RankerContract

pytest.importorskip("torch", reason="networks are trained by torch")


class TestDcnContract(RankerContract):
    name = "dcn"
    settings = {"epochs": 4, "learning_rate": 0.01, "hidden": [16]}


class TestDcnPointwiseContract(RankerContract):
    name = "dcn"
    settings = {
        "epochs": 8,
        "learning_rate": 0.01,
        "hidden": [16],
        "loss": "pointwise",
        "numbers": "quantile",
        "item_dim": 4,
        "rank": 0,
    }
