"""Ready scenarios, one folder each."""
