"""Finding and mending what others have done to a collection of partitions, and changing its fields."""
