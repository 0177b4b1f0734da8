"""What is said to the user: errors, warnings, tracebacks, how objects are shown."""
