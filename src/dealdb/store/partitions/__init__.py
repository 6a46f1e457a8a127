"""A collection of several partitions: each a store of its own, which queries see as one."""
