"""Jobs on named data sets: train a network, evaluate it and write files.

They are used by the command line, and may be used by scripts. Jobs do not print; messages are
passed to functions given by the caller.
"""
