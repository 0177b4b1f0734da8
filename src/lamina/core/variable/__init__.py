"""Variables, the one place of values, and pure functions of them."""
