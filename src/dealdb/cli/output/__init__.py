"""How results reach standard output: tables, figures, CSV, JSON, Markdown, the pager."""
