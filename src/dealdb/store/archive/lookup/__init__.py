"""What a reader of a few rows takes of segments and chunks, without reading the rest."""
