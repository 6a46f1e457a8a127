"""
A brute force of the metrics on history, to compare the engine with.

It is written from the definitions alone: dicts, loops, decimals and fractions, a fact at a time, and nothing of what
it judges. ``past`` is the ground; ``stages``, ``movement``, ``windows``, ``outcomes``, ``credit`` and ``activity`` have
a function for each metric; ``questions`` makes random ones about the histories of ``histories.drawn``, and ``engine``
and ``asking`` put them to dealdb.
"""
