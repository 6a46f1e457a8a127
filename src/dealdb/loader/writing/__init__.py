"""From chunks to acknowledged commits."""
