"""Objects of JSON: where the rows are in an answer, and what an object in a row stands for."""
