"""A first network: it learns to read handwritten digits in a few seconds.

Run it with `python examples/first_network.py`. It reads at least 0.95 of the test images correctly,
mostly between 0.97 and 0.98. The images are small (8 × 8 pixels) and come with Lamina, so no
network is needed; for the famous larger ones write `mnist` for `digits` and 255 for 16.
"""

import lamina as keras

# 1,500 images to learn from, 297 that the network never sees while it learns.
(x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()

model = keras.Sequential(
    [
        keras.layers.Rescaling(1 / 16),  # pixels are integers from 0 to 16; make them 0 to 1
        keras.layers.Flatten(),  # a square of pixels becomes one row
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),  # a probability for each digit
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# Go through all training images ten times.
model.fit(x_train, y_train, epochs=10)

# How good is it at images that it has not seen?
loss, reached = model.evaluate(x_test, y_test)
print(f"It reads {reached:.1%} of new digits correctly.")

# Keep what it has learnt, and use it as you would tomorrow.
model.save("digits.keras")
reader = keras.models.load_model("digits.keras")
probabilities = reader.predict(x_test)
print("The first test image shows a", y_test[0], "and was read as", probabilities[0].argmax())
