"""Benchmarks: ratios between dealdb and other ways, run in turn in one process. ``make bench`` runs them all."""
