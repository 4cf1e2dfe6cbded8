"""The HTTP server: a thin translation between the wire and an engine."""
