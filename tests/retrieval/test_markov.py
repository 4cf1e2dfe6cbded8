from inkling.testing.retrieval import RetrieverContract


class TestMarkovContract(RetrieverContract):
    name = "markov"
