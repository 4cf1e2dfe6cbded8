from inkling.testing.retrieval import RetrieverContract


class TestSemanticContract(RetrieverContract):
    name = "semantic"
    settings = {"encoder": "hashing"}
