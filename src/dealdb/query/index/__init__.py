"""The token index, which makes search fast: what it holds, how it is asked, and when it is made."""
