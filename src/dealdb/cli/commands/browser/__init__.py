"""Commands whose results are looked at in a browser."""
