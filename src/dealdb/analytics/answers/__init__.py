"""The sentence with which a metric on history answers the question that it is for, above its table."""
