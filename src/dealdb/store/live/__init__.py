"""The replica of one process, kept up to date."""
