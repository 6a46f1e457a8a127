"""Rows of an index: sets of them, and their order beside that of the rows of a frame."""
