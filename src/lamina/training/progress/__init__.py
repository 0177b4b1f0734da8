"""Display of progress while a model trains."""
