"""Metrics on history beside the same questions in DuckDB, on one made history."""
