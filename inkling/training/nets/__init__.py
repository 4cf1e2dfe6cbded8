"""The networks: one file each, torch modules of plain numbers that know nothing of data sets or settings."""
