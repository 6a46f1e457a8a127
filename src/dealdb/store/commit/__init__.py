"""Commits: what a change is, and the script that carries it out.

Order of the files is that of their imports.
"""
