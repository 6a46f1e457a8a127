"""What a source leaves unsaid: ids, stages and outcomes, added to its chunks."""
