"""Metrics of what moved: the open pipeline from one day to another, its dates, and what it will bring."""
