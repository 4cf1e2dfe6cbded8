from inkling.testing.ranking import RankerContract


class TestGbdtContract(RankerContract):
    name = "gbdt"
    settings = {"min_examples": 10, "trees": 60}
