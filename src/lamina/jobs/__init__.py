"""Whole jobs on named data sets: train a network, measure it, write what came of it.

The command line calls these; so can a script. Nothing here prints: what a job has to say while it
runs goes to the functions that it is given.
"""
