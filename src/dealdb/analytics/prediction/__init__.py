"""
Predictions: what history says will become of deals, and how good earlier predictions were.

Each is a pure function of a ``Past``; what they estimate with is in ``estimates``, which knows no deals.
"""
