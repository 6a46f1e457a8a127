"""
Real faults on real sockets, servers and processes, and a judge that shares no code with dealdb.

``proxy``
    Stands between a client and the server, and loses, cuts, delays or holds what passes.
``checker``
    Reads what the server has, by docs/protocol.md alone, and compares it with what was acknowledged.
``workload``, ``schedule``, ``run``
    Processes that write and read, faults at random from a seed, and the whole as a program:
    ``python -m tests.faults --help``.
"""
