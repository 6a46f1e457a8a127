"""
Forms that data are written in: text tables, exact JSON, cells without formulas, workbooks, compressed streams, files.

The order of the parts; nothing imports from a part behind it:
exact_json, formulas, controls, headers, locale, terminal → cells, markdown, zstd → text_form → tables,
workbook, output_file.
"""
