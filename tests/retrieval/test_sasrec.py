import pytest

pytest.importorskip("torch", reason="training is an extra")

from inkling.testing.retrieval import RetrieverContract

TINY = {"dim": 16, "epochs": 4, "negatives": 16}


class TestSasrecContract(RetrieverContract):
    name = "sasrec"
    settings = TINY


class TestSasrecTextContract(RetrieverContract):
    name = "sasrec"
    settings = {**TINY, "compare": "dot", "loss": "softmax", "text": "add", "encoder": "hashing", "windows": "all"}
