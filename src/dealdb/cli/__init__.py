"""The command line: speaks to the facade only, prints data to stdout and messages to stderr."""
