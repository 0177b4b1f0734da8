"""`clear_session`: forget what the process counted so far."""

import gc

from lamina.core import naming


def clear_session(free_memory: bool = True) -> None:
    """Starts counting names again, so that the next `Dense` is called `dense`.

    Models that nothing refers to any more give their memory back by themselves; in a notebook
    that builds model after model this call does it at once.

    Args:
        free_memory: Whether to collect garbage now.

    Example:
        >>> naming.unique_name("dense"), naming.unique_name("dense")
        ('dense', 'dense_1')
        >>> clear_session()
        >>> naming.unique_name("dense")
        'dense'
    """
    naming.reset_names()
    if free_memory:
        gc.collect()
