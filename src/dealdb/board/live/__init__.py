"""
What pages are told while they are open: commits as they come, rendered once for all that show the same.

One thread follows the feed, one renders; a request only waits for what is in its queue.

The order of the parts; nothing imports from a part behind it:
recent → recent_of_partitions, client → feed_news → live_view → hub → stream.
"""
