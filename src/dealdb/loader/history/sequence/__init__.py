"""What follows from the order of changes: chains, differences, outcomes, closing days and merges."""
