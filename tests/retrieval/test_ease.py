from inkling.testing.retrieval import RetrieverContract


class TestEaseContract(RetrieverContract):
    name = "ease"
