"""
What pages are made of: values as a reader writes them, conditions of a filter, facets, forms, a deal's history.

The order of the parts; nothing imports from a part behind it:
cells, conditions, parameters, paths, at_once, sums → facets, form, entries, commits, table.
"""
