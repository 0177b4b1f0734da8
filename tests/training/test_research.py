"""What people write themselves, in plain object style: a GAN's loop is in test_custom_step.py."""

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers, ops


@pytest.fixture(scope="module")
def digits():
    (x_train, y_train), (x_test, y_test) = lamina.datasets.digits.load_data()
    flat = [x.reshape(len(x), 64).astype("float32") / x_train.max() for x in (x_train, x_test)]
    return flat[0], y_train, flat[1], y_test


class Sampling(layers.Layer):
    """A draw from the normal distribution with a mean and a log-variance."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed = lamina.random.SeedGenerator(1)

    def call(self, mean, log_variance):
        noise = lamina.random.normal(ops.shape(mean), seed=self.seed)
        return mean + ops.exp(log_variance / 2) * noise


class VAE(lamina.Model):
    """Variational autoencoder (Kingma and Welling 2013, arXiv:1312.6114)."""

    def __init__(self, latent=4, **kwargs):
        super().__init__(**kwargs)
        self.encoder = lamina.Sequential([layers.Dense(64, activation="relu")])
        self.mean, self.log_variance = layers.Dense(latent), layers.Dense(latent)
        self.sampling = Sampling()
        self.decoder = lamina.Sequential(
            [layers.Dense(64, activation="relu"), layers.Dense(64, activation="sigmoid")]
        )
        self.rebuilding = lamina.metrics.Mean(name="rebuilding")
        self.divergence = lamina.metrics.Mean(name="divergence")

    def call(self, x):
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        divergence = -0.5 * ops.sum(1 + log_variance - mean**2 - ops.exp(log_variance), axis=-1)
        return self.decoder(self.sampling(mean, log_variance)), divergence

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        rebuilt, divergence = y_pred
        rebuilding = ops.sum(lamina.losses.binary_crossentropy(x[..., None], rebuilt[..., None]), 1)
        self.rebuilding.update_state(rebuilding)
        self.divergence.update_state(divergence)
        return ops.mean(rebuilding + divergence)


def test_a_variational_autoencoder_learns_to_draw_digits(digits, compilations, tmp_path):
    x, _, x_test, _ = digits
    vae = VAE()
    vae.compile("adam")
    history = vae.fit(x, epochs=15, batch_size=60, validation_data=(x_test,), verbose=0).history
    assert history["loss"][-1] < 0.85 * history["loss"][0]
    assert history["val_loss"][-1] == pytest.approx(history["loss"][-1], rel=0.1)
    total = history["rebuilding"][-1] + history["divergence"][-1]
    # Metrics average over samples as they are seen, the loss over steps of unequal size.
    assert history["loss"][-1] == pytest.approx(total, rel=0.01)
    assert compilations.names.count("jit(train_program)") == 1
    drawn = vae.decoder.predict(np.random.default_rng(0).normal(size=(50, 4)), verbose=0)
    # Drawn digits look like the digits there are: pixel by pixel, on average.
    assert np.corrcoef(drawn.mean(axis=0), x.mean(axis=0))[0, 1] > 0.9


class Distiller(lamina.Model):
    """A student that learns what a teacher thinks (Hinton et al. 2015, arXiv:1503.02531)."""

    def __init__(self, teacher, student, temperature=3.0, **kwargs):
        super().__init__(**kwargs)
        self.teacher, self.student, self.temperature = teacher, student, temperature
        self.teacher.trainable = False
        self.divergence = lamina.losses.KLDivergence()

    def call(self, x, training=False):
        return self.student(x, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        hard = super().compute_loss(x, y, y_pred, sample_weight, training)
        soft = self.divergence(
            ops.softmax(self.teacher(x, training=False) / self.temperature),
            ops.softmax(y_pred / self.temperature),
        )
        return 0.1 * hard + 0.9 * soft * self.temperature**2


def logits_model(width):
    return lamina.Sequential([layers.Dense(width, activation="relu"), layers.Dense(10)])


def test_a_student_learns_from_its_teacher_and_leaves_him_alone(digits):
    x, y, x_test, y_test = digits
    loss = lamina.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher = logits_model(128)
    teacher.compile("adam", loss, metrics=["accuracy"])
    teacher.fit(x, y, epochs=15, verbose=0)
    before = teacher.get_weights()
    distiller = Distiller(teacher, logits_model(12))
    distiller.compile(lamina.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    few = slice(0, 300)
    # Only 300 pictures have labels that the student may see; the teacher's opinion is on them.
    distiller.fit(x[few], y[few], epochs=60, verbose=0)
    for one, other in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    own, taught = distiller.student(x_test), teacher(x_test)
    agreement = np.mean(np.argmax(own, axis=1) == np.argmax(taught, axis=1))
    assert agreement > 0.85
    assert distiller.evaluate(x_test, y_test, return_dict=True, verbose=0)["accuracy"] > 0.85


class GradientPenalty(lamina.Model):
    """A loss with a gradient in it, as a WGAN-GP has (Gulrajani et al. 2017, 1704.00028)."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(16), layers.Dense(1)

    def call(self, x):
        return self.out(self.hidden(x))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        import jax

        slope = jax.vmap(jax.grad(lambda row: self(row[None])[0, 0]))(x)
        return super().compute_loss(x, y, y_pred) + 10 * jnp.mean(slope**2)


def test_a_gradient_inside_the_loss_flattens_the_function(rng):
    x = rng.normal(size=(256, 2)).astype("float32")
    y = x[:, :1] * 3
    slopes = []
    for factory in (GradientPenalty, lambda: lamina.Sequential([layers.Dense(1)])):
        model = factory()
        model.compile(lamina.optimizers.Adam(1e-2), "mse")
        model.fit(x, y, epochs=20, verbose=0)
        ends = np.asarray(model(np.array([[-0.1, 0.0], [0.1, 0.0]], "float32")))
        slopes.append(float(ends[1, 0] - ends[0, 0]) / 0.2)
    # (3 - slope)² variance + 10 slope² / 2 is least at this slope.
    variance = x[:, 0].var()
    assert slopes[0] == pytest.approx(3 * variance / (variance + 5), abs=0.05)
    assert slopes[1] > 1
