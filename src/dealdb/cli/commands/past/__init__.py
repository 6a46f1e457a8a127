"""The commands for figures of what happened to deals."""
