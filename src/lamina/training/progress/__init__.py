"""What a person sees while a model trains."""
