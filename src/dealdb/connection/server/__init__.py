"""What a server says of itself: whether it answers, how it is, and what threatens saves on it."""
