"""Checks and conversions of what users give: tables, text, masked arrays, paths, arguments."""
