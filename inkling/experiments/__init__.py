"""Which is better: who sees what, by chance and for good, and a log that holds all that a verdict needs."""
