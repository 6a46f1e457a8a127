"""
What the pages show: one file a page, each a pure function from what was asked to what is shown.

The order of the parts; nothing imports from a part behind it:
page → the pages.
"""
