"""
What the pages of figures are made of: metrics by their addresses, and from each number to its deals.

The order of the parts; nothing imports from a part behind it:
catalogue → figure → linked, moves → sheet, tiles, changed_since → panel, named.
"""
