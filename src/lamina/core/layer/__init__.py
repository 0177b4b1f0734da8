"""`Layer`: what building, calling and holding weights consists of."""
