"""Experiments: short trainings of copies of a model, each with one change.

A symptom, such as a loss that does not fall, has many causes. `setup.py` keeps what a training
began with, `copies.py` makes copies with a change, `trials.py` trains them within a time budget,
`scores.py` compares them on held-out samples, whatever their losses are, and `baselines.py` says
what scikit-learn's simple models reach. `candidates.py` lists the changes that are worth trying,
and `conclusions.py` turns the results into findings.
"""
