"""What users hand over: tables, text, masked arrays, paths, arguments."""
