"""The log: one entry a commit (``entry``), and how it is read from the server (``reader``)."""
