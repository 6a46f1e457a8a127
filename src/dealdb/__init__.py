"""A deal database on Redis."""
