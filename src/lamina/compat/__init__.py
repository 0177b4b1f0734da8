"""Running scripts written for TensorFlow and Keras, unchanged.

`script.run_script` runs one; while it runs, `imports` answers `import tensorflow`, `import keras`
and `import tf_keras` with Lamina, and `figures` saves what `plt.show()` would show if there is no
screen. `tensorflow` is the part of TensorFlow's own namespace that such scripts use, `missing`
says what to use for the rest.
"""
