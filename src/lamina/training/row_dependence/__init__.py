"""Whether the rows of a batch are computed apart from each other."""
