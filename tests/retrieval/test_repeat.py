from inkling.testing.retrieval import RetrieverContract


class TestRepeatContract(RetrieverContract):
    name = "repeat"
