"""Who survived the Titanic? A table of numbers and categories, through `FeatureSpace`.

    python examples/mixed_table.py [--short]

Tables mix ages in years with classes and ports. A `FeatureSpace` is told what each column is,
learns means, categories and borders from the training rows, and turns every row into one vector.

Who guesses that nobody survived is right for 67 % of the passengers kept for testing. Short, the
network is right for at least 0.74 of them. Measured in full, it was right
for 0.806.
"""

import sys

import numpy as np
import pandas as pd

import lamina as keras
from lamina import layers
from lamina.utils import FeatureSpace

short = "--short" in sys.argv

path = keras.utils.get_file(
    "titanic.csv", "https://raw.githubusercontent.com/mwaskom/seaborn-data/master/titanic.csv"
)
table = pd.read_csv(path)[
    ["survived", "pclass", "sex", "age", "sibsp", "parch", "fare", "embarked"]
]
table["age"] = table["age"].fillna(table["age"].median())  # a fifth of the ages is not known
table["embarked"] = table["embarked"].fillna("unknown")
table = table.sample(frac=1, random_state=1)
train, test = table.iloc[:700], table.iloc[700:]


def columns(rows):
    """Every column as an array, and who survived."""
    survived = rows["survived"].to_numpy("float32")
    return {name: rows[name].to_numpy() for name in rows.columns if name != "survived"}, survived


space = FeatureSpace(
    features={
        "pclass": FeatureSpace.integer_categorical(num_oov_indices=0),
        "sex": FeatureSpace.string_categorical(num_oov_indices=0),
        "embarked": FeatureSpace.string_categorical(num_oov_indices=1),
        "age": FeatureSpace.float_discretized(num_bins=8),
        "fare": FeatureSpace.float_normalized(),
        "sibsp": FeatureSpace.float_normalized(),
        "parch": FeatureSpace.float_normalized(),
    },
    crosses=[FeatureSpace.cross(feature_names=("sex", "pclass"), crossing_dim=16)],
    output_mode="concat",
)
x_train, y_train = columns(train)
x_test, y_test = columns(test)
space.adapt(keras.data.Dataset.from_tensor_slices(x_train).batch(32))
x_train, x_test = np.asarray(space(x_train)), np.asarray(space(x_test))

model = keras.Sequential(
    [
        layers.Dense(32, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(0.003), loss="bce", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=20 if short else 60, verbose=2)

loss, reached = model.evaluate(x_test, y_test)
print(f"It is right for {reached:.1%} of the passengers it has not seen.")
