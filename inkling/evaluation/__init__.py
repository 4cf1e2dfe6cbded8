"""Replay and measure pipelines over a log; compare; report."""
