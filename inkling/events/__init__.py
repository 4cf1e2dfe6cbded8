"""What happened: read, validate, clean, split, sessions."""
