"""The forms in which programs give their history, each made into changes of one shape."""
