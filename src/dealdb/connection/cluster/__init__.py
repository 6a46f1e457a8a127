"""
Commands to the nodes of a cluster.

The order of the parts; nothing imports from a part behind it:
slots → slot_link → cluster_link.
"""
