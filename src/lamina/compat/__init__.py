"""Running scripts written for TensorFlow and Keras, unchanged.

`run_script.py` runs a script. Meanwhile `imports.py` makes `import tensorflow`, `import keras` and
`import tf_keras` import Lamina, and `figures.py` saves the figures of `plt.show()` if there is no
screen. `tensorflow.py` has the part of TensorFlow's namespace that such scripts use; `missing.py`
has the messages for names that Lamina does not have.
"""
