"""Attention: learned projections in `projected.py` and `heads.py`, none in `scores.py`."""
