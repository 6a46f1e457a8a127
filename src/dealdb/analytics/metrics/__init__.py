"""The metrics: pure functions from deals and a pipeline to tables."""
