"""Metrics of deals in their stages."""
