"""Attention: with learned projections in `projected.py` and `heads.py`, without in `scores.py`."""
