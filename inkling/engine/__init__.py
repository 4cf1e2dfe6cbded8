"""The assembly: pipeline, engine, bundle, reasons, erasure."""
