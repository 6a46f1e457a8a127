"""
What the server holds is data and not truth: another program may have written it, or a disk damaged it.

``wall`` turns whatever decoding it raises into one error, ``arrow`` and ``parquet`` say what a small text unpacks to
before it is unpacked, and ``room`` how many rows a collection can have.
"""
