"""
The command line: speaks to the facade only, prints data to stdout and messages to stderr.

The order of the parts; nothing imports from a part behind it:
leaving, output, prompt, settings, option_names → session → adopting → registry → completion → main,
arguments → commands, reference.
"""
