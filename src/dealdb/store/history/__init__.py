"""The past, and the feed of what is being committed."""
