"""Charts as lines of text, for a terminal."""
