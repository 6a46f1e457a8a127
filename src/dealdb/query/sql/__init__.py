"""SELECT statements on DuckDB, in a sandbox."""
