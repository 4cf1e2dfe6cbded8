from inkling.testing.retrieval import RetrieverContract


class TestFuseContract(RetrieverContract):
    name = "fuse"
    update_equals_refit = False
