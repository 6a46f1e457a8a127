"""
A brute force of the metrics on history, to compare the engine with.

It is written from the definitions alone: dicts, loops, decimals and fractions, a fact at a time, and nothing of what
it judges. ``past`` is the ground; ``stages``, ``movement``, ``windows``, ``outcomes`` and ``activity`` have a function
for each metric; ``histories`` makes random histories; ``engine`` asks dealdb the same questions.
"""
