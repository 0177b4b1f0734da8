"""Distillation as in Keras, and where Keras's defaults do not do what they say."""

import keras
import numpy as np
import pytest

import lamina
from lamina.distillation import (
    DistillationLoss,
    Distiller,
    FeatureDistillation,
    LogitsDistillation,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 4)).astype("float32")
Y = rng.integers(3, size=12)
TEACHER, STUDENT = rng.normal(size=(2, 5, 3))


def network(library, name, seed=0, **dense):
    model = library.Sequential(
        [
            library.Input((4,)),
            library.layers.Dense(5, activation="tanh", name="hidden"),
            library.layers.Dense(3, **dense),
        ],
        name=name,
    )
    draw = np.random.default_rng(seed)
    model.set_weights([draw.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    return model


def distiller(library, *losses, **arguments):
    d = library.distillation
    losses = losses or (d.LogitsDistillation(2.0, library.losses.KLDivergence()),)
    arguments.setdefault("student_loss_weight", 0.25)
    model = d.Distiller(
        network(library, "teacher", 1), network(library, "student", 2), list(losses), **arguments
    )
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(library.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def with_features(library):
    d = library.distillation
    return distiller(
        library,
        d.LogitsDistillation(4.0, "mse"),
        d.FeatureDistillation("mae", "hidden", "hidden"),
        distillation_loss_weights=[1.0, 0.5],
    )


@pytest.mark.parametrize("make", [distiller, with_features])
def test_training_and_measuring_are_those_of_keras(make):
    ours, theirs = make(lamina), make(keras)
    options = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
    one, other = ours.fit(X, Y, **options).history, theirs.fit(X, Y, **options).history
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, err_msg=name)
    for a, b in zip(ours.student.get_weights(), theirs.student.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for a, b in zip(ours.teacher.get_weights(), theirs.teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    measured = ours.evaluate(X, Y, batch_size=4, verbose=0, return_dict=True)
    expected = theirs.evaluate(X, Y, batch_size=4, verbose=0, return_dict=True)
    for name, value in expected.items():
        assert measured[name] == pytest.approx(value, rel=1e-4)


def test_one_program_serves_every_step(compilations):
    model = distiller(lamina)
    model.fit(X, Y, batch_size=4, verbose=0)
    compilations.reset()
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    assert compilations.count("train_program") == 0


@pytest.mark.parametrize("loss", ["kl_divergence", "KLDivergence", lamina.losses.KLDivergence()])
def test_the_kl_divergence_is_that_of_softened_probabilities(loss):
    """By its default, a name, Keras compares the logits themselves: a NaN or nonsense."""

    def softmax(logits):
        powers = np.exp(logits / 2.0)
        return powers / powers.sum(axis=-1, keepdims=True)

    p, q = softmax(TEACHER), softmax(STUDENT)
    expected = (p * np.log(p / q)).sum(axis=-1).mean() * 2.0**2
    found = LogitsDistillation(2.0, loss).compute_loss(TEACHER, STUDENT)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    theirs = keras.distillation.LogitsDistillation(2.0, keras.losses.KLDivergence())
    assert float(theirs.compute_loss(TEACHER, STUDENT)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["mse", "mae", "cosine_similarity"])
def test_features_are_compared_as_in_keras(name):
    ours = FeatureDistillation(name).compute_loss(TEACHER, STUDENT)
    theirs = keras.distillation.FeatureDistillation(name).compute_loss(TEACHER, STUDENT)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-4)


def test_some_outputs_may_be_left_out():
    loss = FeatureDistillation({"a": "mse", "b": None})
    teacher = {"a": TEACHER, "b": TEACHER}
    student = {"a": STUDENT, "b": STUDENT}
    loss.validate_outputs(teacher, student)
    alone = FeatureDistillation("mse").compute_loss(TEACHER, STUDENT)
    assert float(loss.compute_loss(teacher, student)) == pytest.approx(float(alone))
    with pytest.raises(ValueError, match="a dict of a, b for its loss, and the outputs are one"):
        loss.validate_outputs(TEACHER, STUDENT)
    with pytest.raises(ValueError, match="the teacher gives a dict of a, b, the student one value"):
        loss.validate_outputs(teacher, STUDENT)


@pytest.mark.parametrize("make", [distiller, with_features])
def test_configs_are_those_of_keras(make):
    ours, theirs = make(lamina).get_config(), make(keras).get_config()
    assert ours.keys() == theirs.keys()
    for key in ("distillation_losses", "distillation_loss_weights", "student_loss_weight"):
        assert ours[key] == theirs[key]


@pytest.mark.parametrize("make", [distiller, with_features])
def test_a_distiller_is_saved_and_goes_on(make, tmp_path):
    model = make(lamina)
    model.fit(X, Y, batch_size=4, verbose=0)
    model.save(tmp_path / "d.keras")
    again = lamina.models.load_model(tmp_path / "d.keras")
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert not again.teacher.trainable_weights
    again.fit(X, Y, verbose=0)


def test_files_go_both_ways(tmp_path):
    ours, theirs = distiller(lamina), distiller(keras)
    theirs(X)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    opened = keras.models.load_model(tmp_path / "ours.keras", compile=False)
    np.testing.assert_allclose(
        opened.student.predict(X, verbose=0), ours.predict(X, verbose=0), 1e-5
    )
    opened = lamina.models.load_model(tmp_path / "theirs.keras", compile=False)
    np.testing.assert_allclose(
        opened.predict(X, verbose=0), theirs.student.predict(X, verbose=0), 1e-5
    )


def test_a_distillation_loss_of_ones_own_needs_one_number():
    class Own(DistillationLoss):
        def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
            return abs(teacher_outputs - student_outputs)

    with pytest.raises(ValueError, match=r"Own.compute_loss must give one number"):
        distiller(lamina, Own()).fit(X, Y, verbose=0)
    with pytest.raises(NotImplementedError, match="needs a method compute_loss"):
        DistillationLoss().compute_loss(X, X)


def test_what_does_not_fit_is_refused():
    teacher, student = network(lamina, "teacher"), network(lamina, "student")
    wide = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(7)])
    logits = LogitsDistillation()
    with pytest.raises(
        ValueError, match=r"outputs of .* same shapes; the teacher's are \[\(None, 7"
    ):
        Distiller(wide, student, logits)
    with pytest.raises(ValueError, match="the teacher must be a Model; received 'teacher'"):
        Distiller("teacher", student, logits)
    with pytest.raises(ValueError, match="fraction from 0 to 1; received 1.5"):
        Distiller(teacher, student, logits, student_loss_weight=1.5)
    with pytest.raises(ValueError, match="2 distillation_losses and 1 distillation_loss_weights"):
        Distiller(teacher, student, [logits, logits], [1.0])
    with pytest.raises(ValueError, match="In the student: Model 'student' has no layer 'hiden'"):
        Distiller(teacher, student, FeatureDistillation("mse", "hidden", "hiden"))
    with pytest.raises(ValueError, match="temperature must be a number above 0; received 0"):
        LogitsDistillation(0)
    with pytest.raises(ValueError, match="a loss for at least one output"):
        FeatureDistillation([None, None])
    with pytest.raises(ValueError, match="needs the student's loss"):
        Distiller(teacher, student, logits).compile("adam")


class Student(lamina.Model):
    """Its call takes neither a mask nor a training mode."""

    def __init__(self):
        super().__init__()
        self.dense = lamina.layers.Dense(3)

    def call(self, x):
        return self.dense(x)


def test_a_student_s_call_need_not_take_a_mask():
    teacher = network(lamina, "teacher")
    model = lamina.distillation.Distiller(
        teacher, Student(), lamina.distillation.LogitsDistillation(), student_loss_weight=0.5
    )
    model.compile("sgd", loss="mse")
    x, y = np.ones((4, 4), "float32"), np.ones((4, 3), "float32")
    history = model.fit(x, y, verbose=0).history
    assert history["total_loss"] == pytest.approx(history["loss"])
    assert model.predict(x, verbose=0).shape == (4, 3)


def test_labels_for_several_outputs_go_by_name():
    class Nothing(lamina.distillation.DistillationLoss):
        def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
            return 0.0

    def two_heads(name):
        """1 and 0, whatever comes in."""
        given = lamina.Input((2,))
        heads = [
            lamina.layers.Dense(1, name=head, kernel_initializer="zeros", bias_initializer=bias)
            for head, bias in (("b", "ones"), ("a", "zeros"))
        ]
        return lamina.Model(given, [head(given) for head in heads], name=name)

    model = lamina.distillation.Distiller(
        two_heads("teacher"), two_heads("student"), Nothing(), student_loss_weight=1.0
    )
    model.compile("sgd", loss={"b": "mse", "a": "mse"}, run_eagerly=True)
    targets = {"a": np.full((4, 1), 2.0), "b": np.full((4, 1), 4.0)}
    assert model.test_on_batch(np.ones((4, 2)), targets, return_dict=True)["loss"] == 4 + 9
