"""Filters: SQL text, a Polars expression or keywords, made one expression."""
