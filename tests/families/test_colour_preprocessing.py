"""Layers that change colours and mix pictures: given the same draw they do what Keras does."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from families.promises import Case, LayerPromises
from lamina import layers
from lamina.core.variable.stateless import stateless, values_of

# Keras asks for integers of 64 bits, which JAX does not give.
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype:UserWarning")

IMAGES, FIRST = (2, 8, 6, 3), (2, 3, 8, 6)
UNIT, SEED = {"value_range": (0, 1)}, {"seed": 3}


class TestColours(LayerPromises):
    cases = [
        Case("RandomBrightness", {"factor": 0.2, **UNIT, **SEED}, IMAGES, random="always"),
        Case("RandomContrast", {"factor": (0.2, 0.5), **SEED}, IMAGES, random="always"),
        Case("RandomHue", {"factor": 0.3, **UNIT, **SEED}, IMAGES, random="always"),
        Case("RandomSaturation", {"factor": (0.2, 0.4), **SEED}, IMAGES, random="always"),
        Case("RandomColorDegeneration", {"factor": 0.4, **SEED}, IMAGES, random="always"),
        Case("RandomGrayscale", {"factor": 0.4}, IMAGES, random="always"),
        Case("RandomInvert", {"factor": 0.4, **UNIT, **SEED}, IMAGES, random="always"),
        Case("RandomPosterization", {"factor": 5, **SEED}, IMAGES, random="always"),
        Case("Solarization", {"addition_factor": 0.3, "threshold_factor": (0.2, 0.5), **SEED},
             IMAGES, random="always"),
        Case("RandomColorJitter", {"brightness_factor": 0.3, "contrast_factor": 0.2,
                                   "saturation_factor": 0.4, "hue_factor": 0.1, **SEED}, IMAGES,
             random="always"),
        Case("RandomSharpness", {"factor": 0.4, **SEED}, IMAGES, random="always"),
        Case("RandomGaussianBlur", {"factor": 0.4, "kernel_size": 5, "sigma": (0.1, 0.9), **SEED},
             IMAGES, random="always"),
        Case("RandomErasing", {"factor": 0.4, "fill_value": 0.5, **UNIT, **SEED}, IMAGES,
             random="always"),
        Case("CutMix", {"factor": 0.4, **SEED}, IMAGES, random="always"),
        Case("MixUp", {"alpha": 0.4, **SEED}, IMAGES, random="always"),
    ]  # fmt: skip


class TestHistograms(LayerPromises):
    cases = [
        Case("AutoContrast", {}, IMAGES),
        Case("AutoContrast", UNIT, IMAGES),
        # Keras equalizes all pictures of a batch together, in training only.
        Case("Equalization", {"bins": 32, **UNIT}, IMAGES, random="always",
             in_model=False),
        Case("ContrastLimitedAdaptiveHistogramEqualization",
             {"tile_grid_size": (3, 2), "clip_limit": 2.0}, IMAGES),
        Case("ContrastLimitedAdaptiveHistogramEqualization",
             {"tile_grid_size": (2, 2), "data_format": "channels_first", **UNIT}, FIRST),
    ]  # fmt: skip


class TestPolicies(LayerPromises):
    # Keras draws the chains of AugMix while a program is compiled, and then never again.
    cases = [
        Case("RandAugment", {"num_ops": 1, **UNIT, **SEED}, IMAGES, random="always",
             in_model=False),
        Case("AugMix", {"chain_depth": 2, "num_chains": 2, "factor": 0.2, **SEED}, IMAGES,
             random="always", in_model=False),
    ]  # fmt: skip


# ---- what is done, given what was drawn ----------------------------------------------------------

PICTURES = (np.random.default_rng(seed=6).random((4, 9, 12, 3)) * 255).astype("float32")
MASKS = np.random.default_rng(seed=7).integers(0, 4, (4, 9, 12, 1)).astype("uint8")
ONE_HOT = np.eye(4, dtype="float32")

DRAWN = [
    ("RandomBrightness", {"factor": 0.4}),
    ("RandomContrast", {"factor": (0.3, 0.9)}),
    ("RandomHue", {"factor": 0.8}),
    ("RandomSaturation", {"factor": 0.5}),
    ("RandomColorDegeneration", {"factor": 0.8}),
    ("RandomGrayscale", {"factor": 0.6}),
    ("RandomInvert", {"factor": (0.7, 0.8)}),
    ("RandomPosterization", {"factor": 7}),
    ("Solarization", {"addition_factor": 0.2, "threshold_factor": 0.8}),
    ("RandomSharpness", {"factor": 1.0}),
    ("RandomGaussianBlur", {"factor": (0.9, 0.9), "kernel_size": (3, 5)}),
    ("RandomErasing", {"scale": (0.2, 0.5), "factor": (0.9, 0.9)}),
    ("RandomErasing", {"scale": (0.2, 0.5), "factor": (0.9, 0.9), "fill_value": 7.0}),
    ("CutMix", {"factor": 0.8}),
    ("MixUp", {"alpha": 0.8}),
]
each_drawn = pytest.mark.parametrize(
    ("name", "settings"), DRAWN, ids=[f"{name}-{i}" for i, (name, _) in enumerate(DRAWN)]
)


def first(images):
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))


@each_drawn
@pytest.mark.parametrize(
    ("high", "layout"), [(255, "channels_last"), (1, "channels_first")], ids=["255", "1"]
)
def test_pictures_are_changed_as_by_keras(name, settings, high, layout):
    taken = {} if name in ("RandomGrayscale", "CutMix", "MixUp") else {"value_range": (0, high)}
    given = {**settings, **taken, "data_format": layout, "seed": 4}
    ours, theirs = getattr(layers, name)(**given), getattr(keras.layers, name)(**given)
    images = PICTURES * (high / 255)
    images = first(images) if layout == "channels_first" else images
    drawn = theirs.get_random_transformation(jnp.asarray(images), training=True)
    # One program each: compiled operation by operation they would be dozens.
    changed, expected = (
        jax.jit(layer.transform_images)(jnp.asarray(images), drawn) for layer in (ours, theirs)
    )
    np.testing.assert_allclose(changed, expected, atol=2e-6 * high)
    assert not np.allclose(changed, images)
    np.testing.assert_array_equal(ours.transform_segmentation_masks(MASKS, None), MASKS)


@each_drawn
def test_what_is_drawn_has_the_distribution_of_keras(name, settings):
    many = np.zeros((3000, 4, 6, 3), "float32")
    ours, theirs = (getattr(k, name)(**settings, seed=5) for k in (layers, keras.layers))
    drawn, expected = (layer.get_random_transformation(many) for layer in (ours, theirs))
    if name == "RandomGrayscale":
        drawn, expected = {"applied": drawn}, {"applied": expected}
    assert set(drawn) == set(expected)
    for key, values in expected.items():
        if key in ("permutation_order", "fill_value"):
            continue
        one, other = (np.asarray(v, "float64") for v in (drawn[key], values))
        if key == "batch_masks":
            one, other = one[..., 0], other[..., 0]
        assert one.shape == other.shape
        if key == "blur_factor" or name == "CutMix":
            continue  # one number for the whole batch; see below
        spread = np.ptp(other, axis=0) + 1e-6
        for measure in (np.mean, np.std):
            off = np.abs(measure(one, axis=0) - measure(other, axis=0)) / spread
            assert off.max() < 0.06, (key, measure.__name__)


def test_rectangles_and_shares_of_cut_mix_agree_and_shares_are_even():
    layer, shares = layers.CutMix(factor=(1.0, 1.0), seed=2), []
    for _ in range(5):
        drawn = layer.get_random_transformation(np.zeros((400, 30, 40, 1)))
        covered = np.asarray(drawn["batch_masks"]).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(1 - covered, np.ravel(drawn["mix_weight"]), atol=0.06)
        assert sorted(np.asarray(drawn["permutation_order"]).tolist()) == list(range(400))
        shares.append(np.ravel(drawn["mix_weight"]))
    shares = np.concatenate(shares)  # a beta distribution with both parameters 1
    assert abs(shares.mean() - 0.5) < 0.03
    assert abs(shares.std() - 12**-0.5) < 0.02


RANDOM = [
    *DRAWN,
    ("RandomColorJitter", {"brightness_factor": 0.3, "contrast_factor": 0.2,
                           "saturation_factor": 0.4, "hue_factor": 0.1}),
    ("RandAugment", {}),
    ("AugMix", {}),
]  # fmt: skip
each_random = pytest.mark.parametrize(
    ("name", "settings"), RANDOM, ids=[f"{name}-{i}" for i, (name, _) in enumerate(RANDOM)]
)


@each_random
def test_a_seed_gives_the_same_pictures_compiled_or_not_and_every_call_others(name, settings):
    layer = getattr(layers, name)(**settings, seed=11)
    values = values_of(layer.variables)
    step = jax.jit(stateless(lambda x: layer(x, training=True), layer.variables))
    shown = []
    for _ in range(4):
        pictures, values = step(values, PICTURES)
        shown.append(np.asarray(pictures))
    assert len({array.tobytes() for array in shown}) > 1
    assert all(array.min() > -0.01 and array.max() < 255.01 for array in shown)
    again = type(layer).from_config({**layer.get_config(), "seed": 11})
    np.testing.assert_allclose(again(PICTURES), shown[0], atol=1e-2)
    same = layer({"images": PICTURES, "segmentation_masks": MASKS}, training=False)
    np.testing.assert_array_equal(same["images"], PICTURES)
    np.testing.assert_array_equal(same["segmentation_masks"], MASKS)


@pytest.mark.parametrize("name", ["CutMix", "MixUp"])
def test_labels_are_mixed_like_the_pictures(name):
    layer = getattr(layers, name)(seed=3)
    flat = np.broadcast_to(np.arange(4.0)[:, None, None, None], (4, 20, 20, 1))
    data = layer({"images": flat, "labels": ONE_HOT})
    # Every picture shows its own number and another's: their mean tells the shares.
    np.testing.assert_allclose(data["labels"].sum(axis=1), 1, atol=1e-5)
    means = np.asarray(data["images"]).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(data["labels"] @ np.arange(4.0), means, atol=0.25)
    numbers = {"images": flat, "labels": np.arange(4)}
    with pytest.raises(ValueError, match="class indices of shape"):
        layer(numbers)


def test_pictures_laid_over_each_other_have_the_boxes_of_both():
    layer = layers.MixUp(seed=3, bounding_box_format="xyxy")
    classes = np.arange(8).reshape(4, 2)
    boxes = {"boxes": np.zeros((4, 2, 4)), "labels": classes}
    drawn = layer.get_random_transformation(PICTURES)
    both = layer.transform_bounding_boxes(jax.tree.map(jnp.asarray, boxes), drawn)
    order = np.asarray(drawn["permutation_order"])
    np.testing.assert_array_equal(both["labels"], np.hstack([classes, classes[order]]))
    assert both["boxes"].shape == (4, 4, 4)


def test_a_cut_in_a_mask_is_where_it_is_in_the_picture():
    pictures = MASKS.astype("float32")
    data = layers.CutMix(seed=3)({"images": pictures, "segmentation_masks": MASKS})
    assert data["segmentation_masks"].dtype == "uint8"
    np.testing.assert_array_equal(data["images"], data["segmentation_masks"])
    assert not np.array_equal(data["images"], pictures)


@pytest.mark.parametrize("settings", [{}, {"bins": 16}, {"value_range": (0, 1)}])
def test_equalization_is_that_of_keras_picture_by_picture(settings):
    high = settings.get("value_range", (0, 255))[1]
    pictures = np.floor(PICTURES / 8) * 8 * (high / 255)
    pictures[1, ..., 0] = high / 2  # nothing to spread
    ours, theirs = (k.Equalization(**settings) for k in (layers, keras.layers))
    shown = ours(pictures, training=True)
    for picture, one in zip(pictures, shown, strict=True):
        expected = theirs(picture[None], training=True)[0]
        np.testing.assert_allclose(one, expected, atol=1e-5 * high)
    flat = layers.Equalization(**settings, data_format="channels_first")(first(pictures))
    np.testing.assert_allclose(flat, first(shown), atol=1e-5 * high)


@pytest.mark.parametrize("name", ["AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization"])
def test_contrast_is_spread_as_by_keras(name):
    pictures = PICTURES.copy()
    pictures[1, ..., 0] = 100
    ours, theirs = getattr(layers, name)(), getattr(keras.layers, name)()
    # One program each: compiled operation by operation they would be dozens.
    shown, expected = jax.jit(ours)(pictures), jax.jit(theirs)(pictures)
    np.testing.assert_allclose(shown, expected, atol=1e-3)
    np.testing.assert_allclose(jax.jit(ours)(pictures[2]), expected[2], atol=1e-3)
    flat = getattr(layers, name)(data_format="channels_first")
    np.testing.assert_allclose(jax.jit(flat)(first(pictures)), first(shown), atol=1e-3)


def test_a_policy_applies_what_was_drawn_to_pictures_masks_and_boxes():
    policy = layers.RandAugment(num_ops=2, seed=1, bounding_box_format="xyxy", factor=0.3)
    drawn = policy.get_random_transformation(PICTURES)
    drawn["layer_idxes"] = jnp.array([2, 0])  # rotation, then shear
    boxes = {"boxes": jnp.array([[[2.0, 2, 9, 7]]] * 4), "labels": jnp.array([[1]] * 4)}
    parts = {"images": PICTURES, "segmentation_masks": MASKS, "bounding_boxes": boxes}
    for part, value in parts.items():
        shown = getattr(policy, f"transform_{part}")(value, drawn)
        for step, number in enumerate([2, 0]):
            layer = policy._augmentations[number]
            inner = layer.get_random_transformation(PICTURES, seed=drawn["keys"][step])
            value = getattr(layer, f"transform_{part}")(value, inner)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-3), shown, value)


def test_policies_choose_evenly():
    layer = layers.RandAugment(num_ops=1, seed=1)
    chosen = [int(layer.get_random_transformation(PICTURES)["layer_idxes"][0]) for _ in range(600)]
    assert set(chosen) == set(range(11))
    assert np.bincount(chosen).min() > 25


def test_aug_mix_mixes_pictures_with_chains():
    layer = layers.AugMix(seed=2, all_ops=False)
    assert len(layer._augmentations) == 7
    drawn = layer.get_random_transformation(PICTURES)
    nothing = {**drawn, "choices": jnp.full((3, 3), 7)}
    np.testing.assert_allclose(layer.transform_images(PICTURES, nothing), PICTURES, atol=1e-2)
    np.testing.assert_allclose(drawn["chain_mixing_weights"].sum(), 1, atol=1e-5)


def test_a_jitter_is_its_four_changes_in_turn():
    layer = layers.RandomColorJitter(brightness_factor=0.3, hue_factor=0.2, seed=1)
    drawn = layer.get_random_transformation(PICTURES)
    shown = layers.RandomBrightness(0.3).transform_images(PICTURES, drawn["random_brightness"])
    shown = layers.RandomHue(0.2).transform_images(shown, drawn["random_hue"])
    np.testing.assert_allclose(layer.transform_images(PICTURES, drawn), shown, atol=1e-3)


def test_colours_of_bytes_and_of_other_ranges():
    whole = PICTURES.astype("uint8")
    bright = layers.RandomBrightness((-0.2, -0.2))(whole)
    np.testing.assert_allclose(bright, np.maximum(whole.astype("float32") - 51, 0), atol=1e-3)
    assert layers.RandomGrayscale(1.0)(whole).dtype == "uint8"
    centred = PICTURES / 127.5 - 1
    settings = {"value_range": (-1, 1)}
    inverted = layers.RandomInvert((1.0, 1.0), **settings)(centred)
    np.testing.assert_allclose(inverted, -centred, atol=1e-6)
    pale = layers.RandomSaturation((0.2, 0.2), **settings)(centred)
    expected = layers.RandomSaturation((0.2, 0.2))(PICTURES)
    np.testing.assert_allclose(pale, expected / 127.5 - 1, atol=1e-4)


def test_erased_parts_may_have_a_colour():
    for layout, arrange in (("channels_last", np.asarray), ("channels_first", first)):
        layer = layers.RandomErasing((1.0, 1.0), (1.0, 1.0), (1.0, 2.0, 3.0), data_format=layout)
        expected = np.broadcast_to(np.float32([1, 2, 3]), PICTURES.shape)
        np.testing.assert_array_equal(layer(arrange(PICTURES)), arrange(expected))


def test_a_model_that_augments_colours_is_trained_without_compiling_again(compilations):
    model = lamina.Sequential([
        lamina.Input((9, 12, 3)), layers.RandAugment(), layers.RandomColorJitter(
            brightness_factor=0.2, contrast_factor=0.2, saturation_factor=0.2, hue_factor=0.2),
        layers.RandomErasing(), layers.CutMix(), layers.MixUp(),
        layers.Flatten(), layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.tile(PICTURES, (3, 1, 1, 1)), np.tile([0, 1], 6)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    compilations.reset()
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert compilations.names == []


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: layers.RandomBrightness(1.5), r"from -1 to 1; received 1\.5"),
        (lambda: layers.RandomBrightness(0.5, value_range=(1, 0)), "pair of the smallest"),
        (lambda: layers.RandomContrast(-0.5), "from 0 to 1"),
        (lambda: layers.RandomGrayscale(2.0), "factor must be a number from 0 to 1"),
        (lambda: layers.RandomGrayscale()(lamina.Input((4, 4, 1))), "3 channels"),
        (lambda: layers.RandomHue(0.1)(PICTURES[..., :1]), "needs 3 channels"),
        (lambda: layers.RandomPosterization(9), "from 1 to 8"),
        (lambda: layers.RandomGaussianBlur(kernel_size=4), "must be odd"),
        (lambda: layers.RandomErasing(fill_value="black"), "received 'black'"),
        (lambda: layers.RandomErasing(fill_value=(1.0, 2.0))(PICTURES), "each of the 3 channels"),
        (lambda: layers.MixUp(alpha=0.0), "above 0"),
        (lambda: layers.RandAugment(num_ops=0), "num_ops must be an integer of at least 1"),
        (lambda: layers.RandAugment(interpolation="bicubic"), "Unknown interpolation"),
        (lambda: layers.Equalization(bins=0), "bins must be an integer of at least 1"),
    ],
)
def test_impossible_requests_say_what_is_possible(call, says):
    with pytest.raises(ValueError, match=says):
        call()
