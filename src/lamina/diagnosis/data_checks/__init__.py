"""Checks of data: wrong labels, samples that are in two sets, columns that reveal the target.

`duplicates.py` finds validation samples that are in the training data as well; `near_copies.py`
compares pictures that are nearly the same. `target_leak.py` finds a single column that predicts the
target. `label_noise.py` predicts each sample with a copy of the model that was trained without it
(`out_of_sample.py`), counts the labels that contradict the predictions (`confident_learning.py`),
and distinguishes wrong labels from overlapping classes (`noise_or_overlap.py`).
"""
