"""
Estimates: statistics of spans, chances and sums, with their intervals; they know frames and numbers, no deals.

Each says which source its formula is from; tests compare them with brute force, and on histories whose truth is known.
"""
