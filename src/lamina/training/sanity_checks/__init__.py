"""Short trials of a compiled model that leave it as it is: learning rates, one batch by heart."""
