"""Checkpoints: writing, publishing and reading the columns as of one commit."""
