"""Variables, pure functions of their values, random seeds and locks."""
