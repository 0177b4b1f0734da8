"""An autoencoder: squeeze a picture into a few numbers and draw it again from them.

    python examples/autoencoder.py [--short]

784 pixels go in, 32 numbers remain in the middle, 784 pixels come out; the network is rewarded for
drawing what it saw. What survives the middle is what matters about a digit, and noise does not:
shown noisy pictures, it draws clean ones.

Who paints the average digit every time has a mean squared error of 0.067 (pixels go from 0 to 1).
Short, the error of clean pictures drawn from noisy ones is at most 0.035. Measured
in full: 0.0103.
"""

import sys

import numpy as np

import lamina as keras
from lamina import layers

short = "--short" in sys.argv

(x_train, _), (x_test, _) = keras.datasets.mnist.load_data()
if short:
    x_train, x_test = x_train[:10_000], x_test[:1000]
x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255

pixels = keras.Input((784,))
noisy = layers.GaussianNoise(0.3)(pixels)  # in training only
hidden = layers.Dense(256, activation="relu")(noisy)
code = layers.Dense(32, activation="relu", name="code")(hidden)
encoder = keras.Model(pixels, code, name="encoder")

decoder = keras.Sequential(
    [
        keras.Input((32,)),
        layers.Dense(256, activation="relu"),
        layers.Dense(784, activation="sigmoid"),
    ],
    name="decoder",
)
autoencoder = keras.Model(pixels, decoder(encoder(pixels)))
autoencoder.compile(optimizer=keras.optimizers.Adam(0.002), loss="mse")
autoencoder.fit(x_train, x_train, batch_size=128, epochs=5 if short else 20)

random = np.random.default_rng(1)
noisy_test = x_test + random.normal(scale=0.3, size=x_test.shape).astype("float32")
drawn = autoencoder.predict(noisy_test)
reached = float(np.mean((drawn - x_test) ** 2))
print(f"Noise in: {np.mean((noisy_test - x_test) ** 2):.4f}; left in the drawing: {reached:.4f}")

keras.visualization.plot_image_gallery(
    np.concatenate([noisy_test[:6], drawn[:6]]).reshape(-1, 28, 28, 1),
    rows=2, cols=6, value_range=(0, 1), path="autoencoder.png",
)  # fmt: skip
print("Noisy digits and what the network made of them: autoencoder.png")
