"""Metrics of what became of deals, and of the people who worked on them."""
