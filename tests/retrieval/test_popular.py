from inkling.testing.retrieval import RetrieverContract


class TestPopularContract(RetrieverContract):
    name = "popular"
