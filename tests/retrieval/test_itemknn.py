from inkling.testing.retrieval import RetrieverContract


class TestItemKnnContract(RetrieverContract):
    name = "itemknn"
