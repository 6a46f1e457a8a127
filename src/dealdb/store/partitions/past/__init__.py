"""The past of a collection of partitions, as one: what the logs of all of them say."""
