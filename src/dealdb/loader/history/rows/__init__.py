"""Rows of a source of history: their cells as text, and the moments in them."""
