"""
Forms that data are written in: text tables, exact JSON, cells without formulas, compressed streams.

The order of what is in here; nothing imports from what stands behind it:
exact_json, formulas, markdown, zstd → text_form.
"""
