"""Forms that data are written in: text tables, exact JSON, cells without formulas, compressed streams."""
