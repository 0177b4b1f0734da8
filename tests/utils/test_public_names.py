import subprocess
import sys

import keras
import pytest

from lamina import utils


def test_every_name_is_one_of_kerass():
    assert [name for name in utils.__all__ if not hasattr(keras.utils, name)] == []


def test_a_misspelt_name_gets_the_nearest_one():
    with pytest.raises(AttributeError, match="Did you mean 'to_categorical'"):
        utils.to_categoricl  # noqa: B018


def test_arrays_are_prepared_without_importing_jax():
    code = (
        "import sys, numpy as np; from lamina.utils import normalize, to_categorical;"
        "normalize(np.ones((2, 2))); to_categorical([1]); print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
