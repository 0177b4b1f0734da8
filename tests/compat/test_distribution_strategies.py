"""`tf.distribute` in `lamina run`: strategies are `DataParallel`, also after their scope."""

import jax
import pytest

import lamina
from lamina.compat import distribution_strategies, tensorflow as served
from lamina.core.messages.errors import LaminaWarning

distribute = served.module("tensorflow.distribute")


@pytest.fixture(autouse=True)
def one_device_afterwards():
    yield
    lamina.distribution.set_distribution(None)


def test_a_script_with_a_mirrored_strategy_trains_on_all_devices_as_written(run_script):
    done = run_script(
        """
        import numpy as np
        import tensorflow as tf
        strategy = tf.distribute.MirroredStrategy()
        print("Number of devices:", strategy.num_replicas_in_sync)
        batch_size = 2 * strategy.num_replicas_in_sync
        with strategy.scope():
            print(tf.distribute.get_strategy() is strategy)
            model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
            model.compile("sgd", "mse")
        print(tf.distribute.get_strategy().num_replicas_in_sync)
        data = tf.data.Dataset.from_tensor_slices((np.ones((9, 2)), np.ones((9, 1))))
        data = strategy.experimental_distribute_dataset(data.batch(batch_size))
        model.fit(data, verbose=2)
        """,
        XLA_FLAGS="--xla_force_host_platform_device_count=3",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Number of devices: 3\nTrue\n1\nTraining on 3 devices")


@pytest.mark.parametrize("name", ["/cpu:0", "CPU:0", "/device:CPU:0", "/job:a/task:0/device:CPU:0"])
def test_devices_have_tensorflows_names(name):
    assert distribute.OneDeviceStrategy(name).num_replicas_in_sync == 1
    assert distribute.MirroredStrategy([name]).num_replicas_in_sync == 1


def test_a_device_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="There is no device 'cpu:99'. The devices are cpu:0"):
        distribute.MirroredStrategy(["/cpu:99"])


def test_a_strategy_for_workers_in_one_process_says_how_to_start_several():
    with pytest.warns(LaminaWarning, match="lamina run --processes 2 SCRIPT"):
        strategy = distribute.MultiWorkerMirroredStrategy()
    assert strategy.num_replicas_in_sync == jax.device_count()


def test_scopes_within_scopes_are_left_in_their_order():
    outer, inner = distribute.MirroredStrategy(), distribute.OneDeviceStrategy("/cpu:0")
    with outer.scope():
        with inner.scope():
            assert distribute.get_strategy() is inner
        assert distribute.get_strategy() is outer
        assert distribute.has_strategy()
    assert not distribute.has_strategy()


def test_a_function_that_makes_data_gets_whole_batches():
    strategy = distribute.MirroredStrategy()
    size = strategy.distribute_datasets_from_function(lambda c: c.get_per_replica_batch_size(64))
    assert size == 64


def test_the_scope_of_no_strategy_changes_nothing():
    with distribution_strategies.get_strategy().scope():
        assert lamina.distribution.distribution() is None
