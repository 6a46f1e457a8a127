"""The deals as columns in this process, made from a checkpoint, the log or the hashes."""
