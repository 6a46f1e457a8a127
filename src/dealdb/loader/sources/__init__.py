"""Readers: whatever can be loaded, as chunks of columns of text."""
