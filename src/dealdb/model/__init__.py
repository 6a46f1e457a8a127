"""
What a deal is: its fields and their types, its values as texts, and what its stages mean.

The order of what is in here; nothing imports from what stands behind it:
schema, moments, names → decimals → pipeline, values → columns.
"""
