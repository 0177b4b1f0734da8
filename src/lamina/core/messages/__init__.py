"""Messages to the user: errors, warnings, tracebacks, and how objects are printed."""
