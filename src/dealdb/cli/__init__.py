"""
The command line: speaks to the facade only, prints data to stdout and messages to stderr.

The order of what is in here; nothing imports from what stands behind it:
output, settings, option_names → session → registry, completion → main, arguments → commands, reference.
"""
