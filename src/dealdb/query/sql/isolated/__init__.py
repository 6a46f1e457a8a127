"""
DuckDB in a process of its own, which can be ended.

``engine`` is what the caller has, ``process`` one such process as its parent sees it, and ``worker`` what runs in it,
with the bounds of ``limits``. Tables and results go through ``shared`` files in memory, and all else through
``messages``.
"""
