"""Charts as SVG: one element for a page, or a file."""
