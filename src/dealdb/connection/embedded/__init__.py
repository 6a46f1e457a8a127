"""A server of its own for a folder: its process, its keeper, its files."""
