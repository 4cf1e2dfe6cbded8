"""How quality is measured: splits, targets, candidates, fingerprints, scores, intervals."""
