"""Clothes, with augmentation: every epoch shows the network slightly different pictures.

    python examples/fashion_mnist_augmented.py [--short]

A shoe stays a shoe when it is mirrored or moved a little. Layers that do this at random, in
training only, are part of the model; at test time they do nothing.

Short, it names at least 0.65 of the test pictures correctly. Measured in full:
0.8883.
"""

import sys

import lamina as keras
from lamina import layers

short = "--short" in sys.argv

(x_train, y_train), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
names = keras.datasets.fashion_mnist.CLASS_NAMES
if short:
    x_train, y_train = x_train[:4000], y_train[:4000]
    x_test, y_test = x_test[:1000], y_test[:1000]

augmentation = keras.Sequential(
    [
        layers.RandomFlip("horizontal"),
        layers.RandomTranslation(0.07, 0.07, fill_mode="constant"),  # up to two pixels
    ],
    name="augmentation",
)

model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Rescaling(1 / 255),
        augmentation,
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=64, epochs=2 if short else 4, validation_split=0.1)

loss, reached = model.evaluate(x_test, y_test)
print(f"It names {reached:.2%} of new pictures correctly.")

guesses = model.predict(x_test[:5]).argmax(axis=-1)
for guess, truth in zip(guesses, y_test[:5], strict=True):
    print(f"a {names[truth]} was called a {names[guess]}")
