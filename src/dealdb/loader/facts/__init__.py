"""What was so before, from anywhere: read, compared with what is known, and written down."""
