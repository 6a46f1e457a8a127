"""What was so of each deal, and since when: the history as columns."""
