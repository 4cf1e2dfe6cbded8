from inkling.testing.retrieval import RetrieverContract


class TestForwardContract(RetrieverContract):
    name = "forward"
    settings = {"l2": 1.0}
