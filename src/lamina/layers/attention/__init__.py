"""Attention layers: `heads.py` those with learned projections, `scores.py` those without."""
