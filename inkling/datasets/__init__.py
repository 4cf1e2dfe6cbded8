"""A small bundled real data set, and loaders for public ones."""
