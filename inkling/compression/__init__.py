"""Big to small: a model in, a smaller one and what it cost out. Nothing here measures by itself; a callable does."""
