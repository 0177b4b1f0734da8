"""Analysis of whether the rows of a batch are computed independently of each other."""
