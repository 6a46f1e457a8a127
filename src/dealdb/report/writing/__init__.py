"""The report as a file: HTML, Markdown and a workbook."""
