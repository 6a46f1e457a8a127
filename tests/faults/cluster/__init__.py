"""
Writers, readers and a load on a cluster, whose nodes are killed, frozen and cut off, and whose slots move.

``board`` is what the processes know of each other, ``workers`` what they do, ``deeds`` what is done to the cluster, and
``run`` all of it, with a verdict at the end.
"""
