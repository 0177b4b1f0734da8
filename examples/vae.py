"""A variational autoencoder: learns to draw digits that nobody wrote.

    python examples/vae.py [--short]

The encoder gives for every picture not a point but a little cloud of points, and all clouds
together shall fill a round space without gaps. Then any point of that space can be drawn. The loss
has the two halves of this wish: draw what you saw, and keep the clouds near a round one of size 1
(the Kullback-Leibler divergence). It is written out in a `train_step`, in plain Python.

Short, a new picture costs at most 150 nats, both halves together.
Measured in full: 106.8.
"""

import sys

import numpy as np

import lamina as keras
from lamina import layers, ops

short = "--short" in sys.argv
DIMENSIONS = 8


class VariationalAutoencoder(keras.Model):
    def __init__(self, dimensions):
        super().__init__()
        self.encoder = keras.Sequential(
            [layers.Dense(256, activation="relu"), layers.Dense(2 * dimensions)]
        )
        self.decoder = keras.Sequential([layers.Dense(256, activation="relu"), layers.Dense(784)])
        self.seed = keras.random.SeedGenerator(1)

    def call(self, pixels):
        mean, log_variance = ops.split(self.encoder(pixels), 2, axis=-1)
        noise = keras.random.normal(ops.shape(mean), seed=self.seed)
        point = mean + ops.exp(0.5 * log_variance) * noise
        return self.decoder(point), mean, log_variance

    def compute_losses(self, pixels):
        """What drawing costs and what the clouds cost, in nats a picture."""
        logits, mean, log_variance = self(pixels)
        drawing = ops.softplus(logits) - pixels * logits  # cross entropy of every pixel
        divergence = 0.5 * (mean**2 + ops.exp(log_variance) - log_variance - 1)
        return ops.mean(ops.sum(drawing, axis=-1)), ops.mean(ops.sum(divergence, axis=-1))

    def train_step(self, pixels):
        def loss():
            drawing, divergence = self.compute_losses(pixels)
            return drawing + divergence, (drawing, divergence)

        weights = self.trainable_variables
        (total, (drawing, divergence)), gradients = keras.value_and_grad(loss, weights)()
        self.optimizer.apply(gradients, weights)
        return {"loss": total, "drawing": drawing, "divergence": divergence}

    def test_step(self, pixels):
        drawing, divergence = self.compute_losses(pixels)
        return {"loss": drawing + divergence}


(x_train, _), (x_test, _) = keras.datasets.mnist.load_data()
if short:
    x_train, x_test = x_train[:12_000], x_test[:1000]
x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255

vae = VariationalAutoencoder(DIMENSIONS)
vae(x_train[:1])  # make the weights
vae.compile(optimizer=keras.optimizers.Adam(0.002))
vae.fit(x_train, batch_size=64, epochs=8 if short else 40)
reached = vae.evaluate(x_test, return_dict=True)["loss"]
print(f"A new picture costs {reached:.1f} nats.")

points = np.random.default_rng(1).normal(size=(16, DIMENSIONS)).astype("float32")
drawn = ops.sigmoid(vae.decoder(points))
keras.visualization.plot_image_gallery(
    np.asarray(drawn).reshape(-1, 28, 28, 1), value_range=(0, 1), path="vae.png"
)
print("Sixteen digits that nobody wrote: vae.png")
