"""Checks of data: wrong labels, samples that are in two sets, columns that tell the target.

`duplicates.py` finds validation samples that are in the training data as well (`near_copies.py`
those that are pictures and nearly the same). `target_leak.py` finds a column that alone tells the
target. `label_noise.py` trains copies of a model that have not seen a part of the samples
(`out_of_sample.py`), counts the labels that contradict them (`confident_learning.py`), and tells
wrong labels from classes that overlap (`noise_or_overlap.py`).
"""
