"""Names of Keras's layers start anew for every test, as ours do."""

import keras
import pytest


@pytest.fixture(autouse=True)
def _same_names_in_keras():
    keras.utils.clear_session(free_memory=False)
