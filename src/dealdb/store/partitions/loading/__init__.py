"""Loads into a collection of partitions: what they leave in each, and what they find there."""
