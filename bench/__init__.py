"""What is measured against what; each bench is run by one command: ``python -m bench NAME``."""
