"""How things learn: losses, samplers, packed batches, a loop, checkpoints. Functions; all but ``extra`` need torch."""
