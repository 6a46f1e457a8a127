"""Finding and mending what others or older versions have done to a collection."""
