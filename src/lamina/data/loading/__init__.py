"""A user's own data: a folder of pictures or texts, a table, a series, split and described."""
