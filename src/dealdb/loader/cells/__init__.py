"""What a cell says: numbers, currencies, dates and truth values, however an export writes them."""
