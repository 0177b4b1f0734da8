"""`Layer`: building, calling, weights, masks."""
