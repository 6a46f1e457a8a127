"""
What a deal is: its fields and their types, its values as texts, and what its stages mean.

The order of the parts; nothing imports from a part behind it:
fiscal, leaving, moments, names, notebook, stage_words → schema → decimals → pipeline, values → columns, jsonable.
"""
