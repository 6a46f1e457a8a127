"""Other ways of keeping deals, each used as its own documentation says, with its best bulk call."""
