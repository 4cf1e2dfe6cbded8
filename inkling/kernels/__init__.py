"""Pure array functions, each with a slow, obvious twin in ``inkling.kernels.reference`` that the tests compare with."""
