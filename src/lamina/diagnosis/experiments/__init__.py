"""Experiments: short trainings of copies of a model, each with one change.

A symptom, such as a loss that does not fall, has many possible causes. `setup.py` holds the model,
data and settings of a training; `copies.py` makes copies of the model with a change; `trials.py`
trains them within a time budget. `scores.py` measures them on validation samples, independently of
their losses, and `baselines.py` measures simple models of scikit-learn. `candidates.py` lists the
changes to try, `search.py` tries them, and `conclusions.py` turns the results into findings.
"""
