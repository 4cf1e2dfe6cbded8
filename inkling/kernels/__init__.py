"""Pure array functions. Each has a slow, obvious twin in ``inkling.kernels.reference`` that the parity tests compare with."""
