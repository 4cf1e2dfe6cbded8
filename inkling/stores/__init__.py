"""Where it lives: the change log and its views, in memory or on disk."""
