"""The log: one entry a commit, and how it is read."""
