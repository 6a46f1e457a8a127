"""
The feed of a collection of several partitions.

The order of the parts; nothing imports from a part behind it:
part_course → feed.
"""
