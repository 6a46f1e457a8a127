"""One module for each way in."""
