"""FeatureSpace: preprocessing of the columns of a table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import did_you_mean, unknown_name
from lamina.core.serialization import naming, registry
from lamina.core.types import Array, ArrayLike, Data, Outputs, Shape
from lamina.core.user_data.arguments import check_integer
from lamina.core.user_data.data_kinds import is_table, is_text
from lamina.core.user_data.text import as_host_array, as_user_results, compute_on_host
from lamina.layers.input import Input
from lamina.layers.preprocessing.categorical import CategoryEncoding, Discretization
from lamina.layers.preprocessing.hashing import HashedCrossing, Hashing
from lamina.layers.preprocessing.index_lookup import IndexLookup
from lamina.layers.preprocessing.numerical import Normalization, Rescaling
from lamina.layers.preprocessing.text_vectorization import TextVectorization
from lamina.layers.preprocessing.vocabulary_lookup import IntegerLookup, StringLookup

# Keras's module of these classes, which saved files name although it is not public.
_NAMESPACE = "keras.src.layers.preprocessing.feature_space"


class Feature:
    """Settings of one column; created by `FeatureSpace.float_normalized()` and similar methods.

    Args:
        dtype: Dtype of the column: `"float32"`, `"int32"`, `"string"`.
        preprocessor: The layer that preprocesses it.
        output_mode: `"float"` for numbers, `"int"` for indices of categories, `"one_hot"` for
            one-hot vectors.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str):
        if output_mode not in ("int", "one_hot", "float"):
            raise unknown_name("output_mode of Feature", output_mode, ("int", "one_hot", "float"))
        self.dtype = dtype
        self.preprocessor = registry.deserialize(preprocessor)
        self.output_mode = output_mode

    def get_config(self) -> dict:
        return {
            "dtype": self.dtype,
            "preprocessor": registry.serialize(self.preprocessor),
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Feature":
        return cls(**config)


class Cross:
    """Crossed columns; created by `FeatureSpace.cross()`.

    Args:
        feature_names: Names of two or more columns.
        crossing_dim: Number of buckets of their combinations.
        output_mode: `"one_hot"` or `"int"`.
    """

    def __init__(
        self, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ):
        if output_mode not in ("int", "one_hot"):
            raise unknown_name("output_mode of Cross", output_mode, ("int", "one_hot"))
        self.feature_names = tuple(feature_names)
        self.crossing_dim = check_integer("crossing_dim", crossing_dim, owner="Cross")
        self.output_mode = output_mode

    @property
    def name(self) -> str:
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict:
        return {
            "feature_names": self.feature_names,
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Cross":
        return cls(**config)


class FeatureSpace(Layer):
    """Preprocesses the columns of a table for a model.

    Args:
        features: The kind of each column, by name: `"float"`, `"float_normalized"`,
            `"float_rescaled"`, `"float_discretized"`, `"integer_categorical"`,
            `"string_categorical"`, `"integer_hashed"`, `"string_hashed"`, or the result of the
            method of that name, which takes settings.
        output_mode: `"concat"` gives one vector per row, `"dict"` one array per column.
        crosses: Crossed columns, as tuples of names or as `FeatureSpace.cross(…)`.
        crossing_dim: Default number of buckets of crossed columns.
        hashing_dim: Default number of buckets of a hashed column.
        num_discretization_bins: Default number of ranges of a discretized column.
        name: Name of the feature space.

    Example:
        >>> space = FeatureSpace({"age": "float_normalized", "sex": "string_categorical"})
        >>> people = {"age": [20.0, 40.0, 60.0], "sex": ["f", "m", "f"]}
        >>> space.adapt(people)
        >>> space({"age": [40.0], "sex": ["m"]}).tolist()
        [[0.0, 0.0, 0.0, 1.0]]
    """

    holds_layers = True  # its inner layers may have weights

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Iterable[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ):
        super().__init__(name=name)
        if not features:
            raise ValueError(
                "FeatureSpace needs features, a dict from columns to their kinds.\n"
                "  Fix: FeatureSpace({'age': 'float_normalized', 'sex': 'string_categorical'})."
            )
        if output_mode not in ("concat", "dict"):
            raise unknown_name("output_mode of FeatureSpace", output_mode, ("concat", "dict"))
        self.output_mode = output_mode
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {key: self._as_feature(key, value) for key, value in features.items()}
        self.crosses = [self._as_cross(cross) for cross in crosses or ()]
        self.crosses_by_name = {cross.name: cross for cross in self.crosses}
        self.inputs = {
            key: Input(shape=(1,), dtype=feature.dtype, name=key)
            for key, feature in self.features.items()
        }
        self.preprocessors = {key: f.preprocessor for key, f in self.features.items()}
        self.crossers = {
            cross.name: HashedCrossing(cross.crossing_dim, name=cross.name)
            for cross in self.crosses
        }
        self.one_hot_encoders: dict[str, CategoryEncoding] = {}
        self.concat: TFDConcat | None = None
        self.encoded_features: Any = None
        self._is_adapted = not self._columns_to_adapt

    # -- kinds of columns ------------------------------------------------------------------------

    @classmethod
    def cross(
        cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> Cross:
        """Crossed columns: the bucket of their combination.

        Args:
            feature_names: Names of the columns.
            crossing_dim: Number of buckets.
            output_mode: `"one_hot"` or `"int"`.

        Returns:
            A `Cross` for the argument `crosses`.
        """
        return Cross(feature_names, crossing_dim, output_mode=output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A column with a custom layer; see `Feature`.

        Args:
            dtype: Type of the column, e.g. `"float32"` or `"string"`.
            preprocessor: The layer that preprocesses it.
            output_mode: `"float"`, `"int"` or `"one_hot"`, the output of the layer.

        Returns:
            A `Feature`.
        """
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers without preprocessing.

        Args:
            name: Name of the layer; chosen automatically if None.

        Returns:
            A `Feature`.
        """
        name = _layer_name(name, "float")
        layer = TFDIdentity(dtype="float32", name=name)
        return Feature("float32", layer, "float")

    @classmethod
    def float_rescaled(
        cls, scale: ArrayLike = 1.0, offset: ArrayLike = 0.0, name: str | None = None
    ) -> Feature:
        """Numbers as `x * scale + offset`.

        Args:
            scale: Factor.
            offset: Added after scaling.
            name: Name of the layer; chosen automatically if None.

        Returns:
            A `Feature`.
        """
        name = _layer_name(name, "float_rescaled")
        return Feature("float32", Rescaling(scale, offset, name=name), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers normalized to mean 0 and variance 1.

        Args:
            name: Name of the layer; chosen automatically if None.

        Returns:
            A `Feature`; mean and variance are learned by `adapt`.
        """
        name = _layer_name(name, "float_normalized")
        return Feature("float32", Normalization(axis=-1, name=name), "float")

    @classmethod
    def float_discretized(
        cls,
        num_bins: int | None,
        bin_boundaries: Any = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Indices of ranges of numbers; give either `num_bins` or `bin_boundaries`.

        Args:
            num_bins: Number of ranges that `adapt` learns, with equal numbers of rows.
            bin_boundaries: Boundaries of the ranges, ascending.
            output_mode: `"one_hot"` or `"int"`.
            name: Name of the layer; chosen automatically if None.

        Returns:
            A `Feature`.
        """
        name = _layer_name(name, "float_discretized")
        layer = Discretization(bin_boundaries, num_bins, name=name)
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Integers that are categories.

        Args:
            max_tokens: Largest size of the vocabulary that `adapt` learns; None for no limit.
            num_oov_indices: Number of indices for categories outside the vocabulary.
            output_mode: `"one_hot"` or `"int"`.
            name: Name of the layer; chosen automatically if None.

        Returns:
            A `Feature`.
        """
        name = _layer_name(name, "integer_categorical")
        layer = IntegerLookup(max_tokens=max_tokens, num_oov_indices=num_oov_indices, name=name)
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Texts that are categories.

        Args:
            max_tokens: Largest size of the vocabulary that `adapt` learns; None for no limit.
            num_oov_indices: Number of indices for categories outside the vocabulary.
            output_mode: `"one_hot"` or `"int"`.
            name: Name of the layer; chosen automatically if None.

        Returns:
            A `Feature`.
        """
        name = _layer_name(name, "string_categorical")
        layer = StringLookup(max_tokens=max_tokens, num_oov_indices=num_oov_indices, name=name)
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Hash buckets of texts.

        Args:
            num_bins: Number of buckets.
            output_mode: `"one_hot"` or `"int"`.
            name: Name of the layer; chosen automatically if None.

        Returns:
            A `Feature`.
        """
        name = _layer_name(name, "string_hashed")
        return Feature("string", Hashing(num_bins, name=name), output_mode)

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Hash buckets of integers.

        Args:
            num_bins: Number of buckets.
            output_mode: `"one_hot"` or `"int"`.
            name: Name of the layer; chosen automatically if None.

        Returns:
            A `Feature`.
        """
        name = _layer_name(name, "integer_hashed")
        return Feature("int32", Hashing(num_bins, name=name), output_mode)

    # -- adapting --------------------------------------------------------------------------------

    def adapt(self, dataset: Any) -> None:
        """Learn the means, vocabularies and ranges of all columns.

        Args:
            dataset: A dict of columns, a data frame, or an iterable of such dicts (batches), or
                of tuples that begin with one, as data sets for training have them.
        """
        names = self._columns_to_adapt
        if isinstance(dataset, Iterator):  # iterated once for each column
            dataset = list(dataset)
        if not (isinstance(dataset, (Mapping, Iterable)) or is_table(dataset)):
            raise TypeError(
                "FeatureSpace.adapt() takes a dict of columns, a data frame or an iterable of "
                f"dicts; received {type(dataset).__name__}."
            )
        for name in names:
            self.preprocessors[name].adapt(self._columns(dataset, name))
        self._is_adapted = True
        self.encoded_features = None
        self.get_encoded_features()

    @property
    def _columns_to_adapt(self) -> list[str]:
        """Names of the columns that must be adapted."""
        return [name for name, layer in self.preprocessors.items() if _needs_adapt(layer)]

    def _columns(self, dataset: Any, name: str) -> Any:
        if isinstance(dataset, Mapping) or is_table(dataset):
            return self._column(dataset, name)
        return (
            self._column(batch[0] if isinstance(batch, tuple) else batch, name) for batch in dataset
        )

    def _column(self, data: Any, name: str) -> Any:
        """One column in the dtype of its feature, `(rows, 1)` if it has one value per row."""
        if name not in data:
            column_names = list(map(str, data))
            raise ValueError(
                f"{self._label} has a feature {name!r}, and the data have no such column."
                f"{did_you_mean(name, column_names)}\n  "
                f"The columns of the data: {', '.join(column_names)}."
            )
        values = as_host_array(data[name], f"the column {name!r}")
        if isinstance(values, KerasTensor):
            return values
        expected_dtype = self.features[name].dtype
        if (expected_dtype == "string") != is_text(values) and np.size(values):
            expected = "text" if expected_dtype == "string" else "numbers"
            raise TypeError(
                f"{self._label}: the column {name!r} must contain {expected}, for a feature of "
                f"dtype {expected_dtype!r}; it is {'text' if is_text(values) else values.dtype}.\n"
                f"  Fix: another kind of feature, or data[{name!r}].astype(…)."
            )
        if expected_dtype.startswith("float"):
            values = values.astype(expected_dtype)
        return values.reshape(-1, 1) if values.ndim < 2 else values

    # -- encoding --------------------------------------------------------------------------------

    def get_inputs(self) -> dict[str, KerasTensor]:
        """The inputs of a model that begins with this FeatureSpace, by column.

        Returns:
            A dict of names to symbolic tensors.
        """
        self.get_encoded_features()
        return dict(self.inputs)

    def get_encoded_features(self) -> Any:
        """The encoded features: a symbolic tensor, or a dict of them.

        Returns:
            One symbolic tensor `(batch, features)`, or a dict of them with `output_mode="dict"`.
        """
        if self.encoded_features is None:
            self._check_adapted()
            self.one_hot_encoders, self.concat = {}, None
            self.encoded_features = self._encode(self.inputs)
            self.built = True
        return self.encoded_features

    def __call__(self, data: Data) -> Outputs:
        """Encode rows.

        Args:
            data: A dict of columns, a data frame, or a dict of single values for one row.
        """
        if not isinstance(data, Mapping) and not is_table(data):
            raise TypeError(
                f"{self._label} is called on a dict of columns; received {type(data).__name__}."
            )
        self.get_encoded_features()
        is_single_sample = not any(
            np.ndim(data[key]) for key in self.features if key in data
        ) and not any(isinstance(value, KerasTensor) for value in dict(data).values())
        with compute_on_host():
            encoded = self._encode({key: self._column(data, key) for key in self.features})
        encoded = as_user_results(encoded)
        return jax.tree.map(lambda a: a[0], encoded) if is_single_sample else encoded

    def _encode(self, columns: Mapping[str, Any]) -> Any:
        preprocessed = {name: self.preprocessors[name](columns[name]) for name in sorted(columns)}
        crosses = {
            name: self.crossers[name](
                [preprocessed[key] for key in self.crosses_by_name[name].feature_names]
            )
            for name in sorted(self.crossers)
        }
        specs: dict[str, Any] = {**self.features, **self.crosses_by_name}
        encoded = {
            name: self._one_hot(name, value) if specs[name].output_mode == "one_hot" else value
            for name, value in {**preprocessed, **crosses}.items()
        }
        if self.output_mode == "dict":
            return encoded
        if self.concat is None:
            self._refuse_unencoded(encoded)
            self.concat = TFDConcat(axis=-1)
        return self.concat(list(encoded.values()))

    def _one_hot(self, name: str, value: Any) -> Any:
        if name not in self.one_hot_encoders:
            layer = self.preprocessors[name] if name in self.preprocessors else self.crossers[name]
            if not str(value.dtype).startswith("int"):
                raise ValueError(
                    f"{self._label}: the feature {name!r} has output_mode='one_hot', and its layer "
                    f"returns {value.dtype}, not integers.\n  Fix: output_mode='float'."
                )
            self.one_hot_encoders[name] = CategoryEncoding(_count_categories(name, layer))
        return self.one_hot_encoders[name](value)

    def _refuse_unencoded(self, encoded: Mapping[str, Any]) -> None:
        for name, value in encoded.items():
            if str(value.dtype).startswith(("int", "string")):
                raise ValueError(
                    f"{self._label}: the feature {name!r} is {value.dtype} and cannot be "
                    "concatenated with the others.\n"
                    "  Fix: output_mode='one_hot' for it, or FeatureSpace(output_mode='dict')."
                )

    def _check_adapted(self) -> None:
        if not self._is_adapted:
            columns = ", ".join(self._columns_to_adapt)
            raise ValueError(
                f"{self._label} has not seen data yet; its columns {columns} must be adapted.\n"
                "  Fix: feature_space.adapt(data) before it is used."
            )

    def _as_feature(self, name: str, kind: Any) -> Feature:
        if isinstance(kind, Feature):
            return kind
        if isinstance(kind, dict):
            return registry.deserialize(kind)
        settings = {
            "float_discretized": (self.num_discretization_bins,),
            "integer_hashed": (self.hashing_dim,),
            "string_hashed": (self.hashing_dim,),
        }
        if kind not in _KINDS:
            raise unknown_name(f"kind of the feature {name!r}", kind, _KINDS)
        return getattr(self, kind)(*settings.get(kind, ()), name=name)

    def _as_cross(self, cross: Any) -> Cross:
        cross = registry.deserialize(cross) if isinstance(cross, dict) else cross
        if not isinstance(cross, Cross):
            if self.crossing_dim is None:
                raise ValueError(
                    "FeatureSpace: crosses need a crossing_dim, the number of buckets; received "
                    "None.\n  Fix: crossing_dim=32."
                )
            cross = Cross(cross, self.crossing_dim)
        for name in cross.feature_names:
            if name not in self.features:
                raise unknown_name("feature in crosses", name, self.features)
        return cross

    # -- saving ----------------------------------------------------------------------------------

    def save(self, filepath: str | Path) -> None:
        """Save the feature space with everything that it has learned, for `load_model`.

        Args:
            filepath: The file to write, which ends in `.keras`.

        Raises:
            ValueError: If a column must be adapted and was not.
        """
        from lamina.saving import save_model  # imported here, because saving imports layers

        self.get_encoded_features()
        save_model(self, filepath)

    def get_config(self) -> dict:
        return {
            "features": registry.serialize(dict(self.features)),
            "output_mode": self.output_mode,
            "crosses": registry.serialize(list(self.crosses)),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config: dict) -> "FeatureSpace":
        return cls(**config)

    def get_build_config(self) -> dict:
        return {name: f.preprocessor.get_build_config() for name, f in self.features.items()}

    def build_from_config(self, config: dict) -> None:
        for name, build_config in config.items():
            layer = self.preprocessors[name]
            if not layer.built and build_config:
                layer.build_from_config(build_config)
        self._is_adapted = self.built = True


class TFDIdentity(Layer):
    """Returns a column of numbers; has the name that Keras uses in files."""

    def call(self, x: Array) -> Array:
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class TFDConcat(Layer):
    """Concatenates encoded columns to one vector per row; has the name that Keras uses in files.

    Args:
        axis: The axis of concatenation.
    """

    def __init__(self, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, xs: list[Array]) -> Array:
        return jnp.concatenate([x.astype(self.compute_dtype) for x in xs], axis=self.axis)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}


_KINDS = (
    "float", "float_normalized", "float_rescaled", "float_discretized",
    "integer_categorical", "string_categorical", "integer_hashed", "string_hashed",
)  # fmt: skip


def _layer_name(name: str | None, kind: str) -> str:
    return f"{name or naming.unique_name(kind)}_preprocessor"


def _needs_adapt(layer: Any) -> bool:
    """Whether a layer must be adapted."""
    if isinstance(layer, Normalization):
        return layer.input_mean is None
    if isinstance(layer, Discretization):
        return layer.num_bins is not None
    if isinstance(layer, TextVectorization):
        layer = layer._lookup_layer
    if isinstance(layer, IndexLookup):
        return not layer._has_input_vocabulary
    return hasattr(layer, "adapt")


def _count_categories(name: str, layer: Any) -> int:
    """The number of categories of a layer."""
    if isinstance(layer, IndexLookup):
        return layer.vocabulary_size()
    if isinstance(layer, CategoryEncoding):
        return layer.num_tokens
    if isinstance(layer, Discretization):
        return layer.num_bins or layer._depth
    if isinstance(layer, (HashedCrossing, Hashing)):
        return layer.num_bins
    raise ValueError(
        f"FeatureSpace: the feature {name!r} has output_mode='one_hot', and the "
        f"number of categories of its layer {layer.name!r} is unknown.\n  Fix: output_mode='int'."
    )


registry.register_namespace("keras.utils", {"FeatureSpace": FeatureSpace})
registry.register_namespace(
    _NAMESPACE,
    {"Feature": Feature, "Cross": Cross, "TFDIdentity": TFDIdentity, "TFDConcat": TFDConcat},
)
