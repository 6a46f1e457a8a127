"""Blobs named by what is in them: chunks of columns, segments of the history, and the manifest that lists both."""
