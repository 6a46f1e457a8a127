"""
The command line: speaks to the facade only, prints data to stdout and messages to stderr.

Its parts, lowest first: ``output``, ``settings``, ``option_names``; ``session``; ``registry``, ``completion``;
``main``, ``arguments``; ``commands``. None imports from one above, except that the registry imports a command by its
name when it is called for, and the shell runs the program.
"""
