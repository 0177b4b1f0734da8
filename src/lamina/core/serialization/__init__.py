"""From objects to plain data and back, by name."""
