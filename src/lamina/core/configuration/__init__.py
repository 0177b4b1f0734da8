"""Settings: of the process, of a thread, of types, of JAX."""
