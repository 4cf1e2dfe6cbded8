from inkling.testing.ranking import RankerContract


class TestLinearContract(RankerContract):
    name = "linear"
