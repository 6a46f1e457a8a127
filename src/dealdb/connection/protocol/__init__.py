"""
What goes over a socket: commands sent and replies read by the Redis client, and its errors as ours.

The order of the parts; nothing imports from a part behind it:
replies → translate → redis_py → connecting → wire.
"""
