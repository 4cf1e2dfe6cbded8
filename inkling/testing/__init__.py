"""Contract suites and toy worlds whose answer is known, for Inkling's tests and for other people's."""
