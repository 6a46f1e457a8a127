"""Data frames of deals as files."""
