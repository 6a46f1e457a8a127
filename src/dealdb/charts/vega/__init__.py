"""
Charts as files, drawn by Altair and vl-convert without a browser.

The order of the parts; nothing imports from a part behind it:
style → rows → forms → drawing → files.
"""
