"""What a column of a source is, and its cells as the texts that the store keeps."""
