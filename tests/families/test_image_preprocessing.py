"""Layers for pictures: given the same draw they do what Keras does, to boxes and masks as well."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from families.promises import Case, LayerPromises
from lamina import layers
from lamina.core.variable.stateless import stateless, values_of

IMAGES, FIRST = (2, 8, 6, 3), (2, 3, 8, 6)
SEED = {"seed": 3}


class TestSizes(LayerPromises):
    cases = [
        Case("Resizing", {"height": 4, "width": 5}, IMAGES),
        Case("Resizing", {"height": 4, "width": 5}, IMAGES, "uint8"),
        Case("Resizing", {"height": 5, "width": 9, "interpolation": "bicubic", "antialias": True,
                          "crop_to_aspect_ratio": True}, IMAGES),
        Case("Resizing", {"height": 9, "width": 5, "interpolation": "nearest", "fill_value": 2.0,
                          "pad_to_aspect_ratio": True, "data_format": "channels_first"}, FIRST),
        Case("CenterCrop", {"height": 3, "width": 4}, IMAGES),
        Case("CenterCrop", {"height": 3, "width": 4, "data_format": "channels_first"}, FIRST),
        Case("CenterCrop", {"height": 10, "width": 4}, IMAGES),
        # Keras forgets to crop outside of training.
        Case("RandomCrop", {"height": 3, "width": 4, **SEED}, IMAGES, random="always",
             in_model=False),
        Case("MaxNumBoundingBoxes", {"max_number": 3}, IMAGES),
        Case("MaxNumBoundingBoxes", {"max_number": 3, "bounding_box_format": "xywh"}, IMAGES),
    ]  # fmt: skip


class TestWarps(LayerPromises):
    cases = [
        Case("RandomFlip", SEED, IMAGES, random="always"),
        Case("RandomFlip", {"mode": "horizontal", "data_format": "channels_first"}, FIRST,
             random="always"),
        Case("RandomRotation", {"factor": 0.2, **SEED}, IMAGES, random="always"),
        Case("RandomRotation", {"factor": (-0.1, 0.3), "fill_mode": "wrap", "fill_value": 1.0,
                                "interpolation": "nearest", "data_format": "channels_first",
                                "bounding_box_format": "xyxy"}, FIRST, random="always"),
        Case("RandomTranslation", {"height_factor": 0.2, "width_factor": (-0.1, 0.3), **SEED},
             IMAGES, random="always"),
        Case("RandomZoom", {"height_factor": 0.2, **SEED}, IMAGES, random="always"),
        Case("RandomZoom", {"height_factor": (-0.3, -0.2), "width_factor": 0.1,
                            "fill_mode": "constant"}, IMAGES, random="always"),
        Case("RandomShear", {"x_factor": (0.1, 0.3), "y_factor": (0.2, 0.2), **SEED}, IMAGES,
             random="always"),
        Case("RandomPerspective", {"factor": 0.5, "scale": 0.3, **SEED}, IMAGES, random="always"),
        Case("RandomElasticTransform", {"scale": 0.3, "value_range": (0, 1), **SEED}, IMAGES,
             random="always"),
    ]  # fmt: skip


# ---- what is done, given what was drawn ----------------------------------------------------------

PICTURES = np.random.default_rng(seed=6).random((3, 9, 12, 3)).astype("float32")
MASKS = np.random.default_rng(seed=7).integers(0, 4, (3, 9, 12, 1)).astype("uint8")
BOXES = np.float32([[[1, 1, 7, 6], [3, 2, 11, 8]], [[0, 0, 5, 4], [0, 0, 0, 0]],
                    [[2, 3, 6, 8], [5, 1, 10, 7]]])  # fmt: skip
CLASSES = np.array([[4, 5], [6, -1], [7, 8]])

DRAWN = [
    ("RandomFlip", {"mode": "horizontal"}),
    ("RandomFlip", {"mode": "vertical"}),
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": 0.3}),
    ("RandomRotation", {"factor": 0.3, "fill_mode": "constant", "fill_value": 0.5,
                        "interpolation": "nearest"}),
    ("RandomTranslation", {"height_factor": 0.4, "width_factor": 0.3, "fill_mode": "wrap"}),
    ("RandomZoom", {"height_factor": 0.4, "width_factor": (0.2, 0.6), "fill_mode": "nearest"}),
    ("RandomZoom", {"height_factor": (-0.5, -0.1)}),
    ("RandomShear", {"x_factor": 0.5, "y_factor": 0.3}),
    ("RandomPerspective", {"factor": 0.7, "scale": 0.4}),
]  # fmt: skip
each_drawn = pytest.mark.parametrize(
    ("name", "settings"), DRAWN, ids=[f"{name}-{i}" for i, (name, _) in enumerate(DRAWN)]
)


def first(images):
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))


@each_drawn
def test_pictures_and_masks_are_changed_as_by_keras(name, settings):
    for layout, arrange in (("channels_last", np.asarray), ("channels_first", first)):
        given = {**settings, "data_format": layout, "seed": 3}
        ours, theirs = getattr(layers, name)(**given), getattr(keras.layers, name)(**given)
        images, masks = arrange(PICTURES), arrange(MASKS)
        drawn = theirs.get_random_transformation(images, training=True)
        (changed, shown), (expected, expected_masks) = (
            both_changed(layer, images, masks, drawn) for layer in (ours, theirs)
        )
        np.testing.assert_allclose(changed, expected, atol=1e-4)
        assert not np.allclose(changed, images)
        assert shown.dtype == "uint8"
        np.testing.assert_array_equal(shown, expected_masks)


def both_changed(layer, images, masks, drawn):
    """Pictures and masks, by one program: operation by operation they would be dozens."""

    def change(images, masks):
        return (
            layer.transform_images(images, drawn),
            layer.transform_segmentation_masks(masks, drawn),
        )

    return jax.jit(change)(images, masks)


@each_drawn
def test_a_picture_alone_is_changed_like_one_in_a_batch(name, settings):
    layer = getattr(layers, name)(**settings, seed=3)
    drawn = layer.get_random_transformation(PICTURES[:1])
    alone = layer.transform_images(PICTURES[0], drawn)
    np.testing.assert_array_equal(alone, layer.transform_images(PICTURES[:1], drawn)[0])
    assert layer(PICTURES[0]).shape == PICTURES[0].shape


# Keras brings neither sheared nor cropped boxes to the right place; see below for ours.
@each_drawn
def test_boxes_are_changed_as_by_keras(name, settings):
    if name == "RandomShear":
        pytest.skip("Keras shears boxes as if pictures were square")
    given = {**settings, "seed": 3, "bounding_box_format": "xyxy"}
    ours, theirs = getattr(layers, name)(**given), getattr(keras.layers, name)(**given)
    drawn = theirs.get_random_transformation(PICTURES, training=True)
    expected = theirs.transform_bounding_boxes(found(), drawn)
    moved = ours.transform_bounding_boxes(found(), drawn)
    np.testing.assert_allclose(moved["boxes"], expected["boxes"], atol=1e-3)
    np.testing.assert_array_equal(moved["labels"], expected["labels"])


def found():
    return {"boxes": jnp.array(BOXES), "labels": jnp.array(CLASSES)}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Resizing", {"height": 18, "width": 6}),
        ("Resizing", {"height": 22, "width": 24, "pad_to_aspect_ratio": True}),
        ("Resizing", {"height": 18, "width": 20, "crop_to_aspect_ratio": True}),
        ("CenterCrop", {"height": 5, "width": 6}),
        ("CenterCrop", {"height": 12, "width": 12}),
    ],
)
def test_boxes_of_pictures_in_another_size_are_those_of_keras(name, settings):
    for written in ("xyxy", "rel_yxyx"):
        given = {**settings, "bounding_box_format": written}
        boxes = keras.utils.bounding_boxes.convert_format(BOXES, "xyxy", written, 9, 12)
        data = {"images": PICTURES, "bounding_boxes": {"boxes": boxes, "labels": CLASSES}}
        moved = getattr(layers, name)(**given)(data)["bounding_boxes"]
        data = {"images": PICTURES, "bounding_boxes": {"boxes": boxes, "labels": CLASSES}}
        expected = getattr(keras.layers, name)(**given)(data)["bounding_boxes"]
        np.testing.assert_allclose(moved["boxes"], expected["boxes"], atol=1e-4)
        np.testing.assert_array_equal(moved["labels"], expected["labels"])


PAINTED = [
    *(case for case in DRAWN if case[0] not in ("RandomTranslation", "RandomRotation")),
    ("RandomRotation", {"factor": 0.3, "fill_mode": "constant"}),
    ("RandomTranslation", {"height_factor": 0.4, "width_factor": 0.3}),
    ("RandomCrop", {"height": 30, "width": 50}),
    ("RandomCrop", {"height": 90, "width": 50}),
    ("CenterCrop", {"height": 31, "width": 47}),
    ("CenterCrop", {"height": 60, "width": 90}),
    ("Resizing", {"height": 61, "width": 33, "pad_to_aspect_ratio": True}),
    ("Resizing", {"height": 61, "width": 33, "crop_to_aspect_ratio": True}),
]


@pytest.mark.parametrize("written", ["xyxy", "rel_center_xywh"])
@pytest.mark.parametrize(
    ("name", "settings"), PAINTED, ids=[f"{name}-{i}" for i, (name, _) in enumerate(PAINTED)]
)
def test_boxes_go_where_what_is_in_them_goes(name, settings, written):
    """A painted disc moves with the picture; its box moves so that the disc stays inside."""
    height, width = 48, 72
    y, x = np.mgrid[:height, :width]
    centres = np.float32([[30, 20], [40, 30], [25, 25], [45, 22], [36, 24], [20, 30]])
    discs = [np.hypot(x - cx, y - cy) < 8 for cx, cy in centres]
    boxes = [[[cx - 8, cy - 8, cx + 8, cy + 8]] for cx, cy in centres]
    boxes = keras.utils.bounding_boxes.convert_format(
        np.float32(boxes), "xyxy", written, height, width
    )
    settings = {**settings, "bounding_box_format": written}
    if "fill_mode" in getattr(layers, name)(**settings).get_config() and name != "Resizing":
        settings["fill_mode"] = "constant"
    if name == "RandomPerspective":
        settings.pop("fill_mode", None)
    layer = getattr(layers, name)(**settings)
    data = layer(
        {
            "images": np.float32(discs)[..., None],
            "bounding_boxes": {"boxes": boxes, "labels": np.zeros((6, 1), int)},
            "segmentation_masks": np.uint8(discs)[..., None],
        }
    )
    size = data["images"].shape[1:3]
    moved = keras.utils.bounding_boxes.convert_format(
        data["bounding_boxes"]["boxes"], written, "xyxy", *size
    )
    shown = 0
    for mask, box in zip(np.asarray(data["segmentation_masks"][..., 0]), moved[:, 0], strict=True):
        rows, columns = np.nonzero(mask)
        if rows.size < 30:
            continue  # (almost) out of the picture
        shown += 1
        left, top, right, bottom = np.asarray(box)
        slack = 1.5 * max(size[0] / height, size[1] / width, 1)
        assert left - slack <= columns.min() <= columns.max() <= right + slack
        assert top - slack <= rows.min() <= rows.max() <= bottom + slack
        # And no larger than a box of the disc's box can become.
        assert (right - left) * (bottom - top) < 4.5 * rows.size + 60
    assert shown


# ---- what is drawn -------------------------------------------------------------------------------


@each_drawn
def test_what_is_drawn_has_the_distribution_of_keras(name, settings):
    many = np.zeros((3000, 4, 6, 1), "float32")
    ours, theirs = (getattr(k, name)(**settings, seed=5) for k in (layers, keras.layers))
    drawn, expected = (layer.get_random_transformation(many) for layer in (ours, theirs))
    assert set(drawn) >= set(expected)
    for key, values in expected.items():
        if not isinstance(values, jax.Array):
            assert drawn[key] == values
            continue
        assert drawn[key].shape == values.shape
        one, other = (np.asarray(v, "float64") for v in (drawn[key], values))
        spread = np.ptp(other, axis=0) + 1e-6
        for measure in (np.mean, np.std, np.min, np.max):
            off = np.abs(measure(one, axis=0) - measure(other, axis=0)) / spread
            assert off.max() < 0.05, (key, measure.__name__)


def test_crops_begin_everywhere_and_each_picture_elsewhere():
    layer = layers.RandomCrop(4, 5, seed=1)
    top, left, height, width = layer.get_random_transformation(np.zeros((2000, 7, 9, 1)))
    assert (height, width) == (7, 9)
    for places, count in ((top, 4), (left, 5)):
        shares = np.bincount(np.asarray(places), minlength=count) / 2000
        np.testing.assert_allclose(shares, 1 / count, atol=0.04)


def test_a_crop_is_a_part_of_the_picture_as_in_keras():
    ours, theirs = layers.RandomCrop(4, 5), keras.layers.RandomCrop(4, 5)
    for place in ((1, 3), (0, 7), (5, 0)):
        expected = theirs.transform_images(PICTURES, place)
        np.testing.assert_array_equal(ours.transform_images(PICTURES, place), expected)
    flat = layers.RandomCrop(4, 5, data_format="channels_first")
    np.testing.assert_array_equal(
        flat.transform_images(first(PICTURES), (1, 3)),
        first(theirs.transform_images(PICTURES, (1, 3))),
    )


def test_a_crop_has_its_size_outside_of_training_and_where_pictures_are_small():
    layer = layers.RandomCrop(6, 6)
    middle = layers.Resizing(6, 6, crop_to_aspect_ratio=True)
    np.testing.assert_array_equal(layer(PICTURES, training=False), middle(PICTURES))
    large = layers.RandomCrop(20, 24)
    expected = layers.Resizing(20, 24, crop_to_aspect_ratio=True)(PICTURES)
    np.testing.assert_array_equal(large(PICTURES, training=True), expected)


RANDOM = [*DRAWN[2:], ("RandomCrop", {"height": 9, "width": 5}),
          ("RandomElasticTransform", {"scale": 0.5, "value_range": (0, 1)})]  # fmt: skip
each_random = pytest.mark.parametrize(
    ("name", "settings"), RANDOM, ids=[f"{name}-{i}" for i, (name, _) in enumerate(RANDOM)]
)


@each_random
def test_a_seed_gives_the_same_pictures_and_every_call_others(name, settings):
    one, other = (getattr(layers, name)(**settings, seed=11) for _ in range(2))
    shown = [np.asarray(one(PICTURES)) for _ in range(4)]
    np.testing.assert_array_equal(shown[0], other(PICTURES))
    assert len({array.tobytes() for array in shown}) > 1
    again = type(one).from_config(one.get_config())
    np.testing.assert_array_equal(shown[0], again(PICTURES))


@each_random
def test_nothing_happens_outside_of_training(name, settings):
    if name == "RandomCrop":
        pytest.skip("it crops the middle; tested above")
    layer = getattr(layers, name)(**settings, bounding_box_format="xyxy")
    data = {"images": PICTURES, "segmentation_masks": MASKS, "labels": np.arange(3)}
    if name != "RandomElasticTransform":
        data["bounding_boxes"] = {"boxes": BOXES, "labels": CLASSES}
    same = layer(data, training=False)
    jax.tree.map(np.testing.assert_array_equal, same, data)


@each_random
def test_pictures_of_bytes_come_out_as_floats(name, settings):
    given = {**settings, "value_range": (0, 255)} if "value_range" in settings else settings
    layers_alike = [getattr(layers, name)(**given, seed=2) for _ in range(2)]
    pictures = (PICTURES * 255).astype("uint8")
    shown, expected = layers_alike[0](pictures), layers_alike[1](pictures.astype("float32"))
    assert shown.dtype == "float32"
    np.testing.assert_array_equal(shown, expected)


@each_random
def test_a_layer_runs_inside_of_a_compiled_function_and_draws_anew(name, settings):
    layer = getattr(layers, name)(**settings, seed=4)
    expected = [np.asarray(layer(PICTURES)) for _ in range(2)]
    layer = getattr(layers, name)(**settings, seed=4)
    values = values_of(layer.variables)
    step = jax.jit(stateless(lambda x: layer(x, training=True), layer.variables))
    for wanted in expected:
        shown, values = step(values, PICTURES)
        np.testing.assert_allclose(shown, wanted, atol=1e-4)


def test_masks_bend_like_the_pictures():
    layer = layers.RandomElasticTransform(scale=(0.6, 0.6), interpolation="nearest",
                                          value_range=(0, 9), seed=3)  # fmt: skip
    pictures = MASKS.repeat(3, axis=1).repeat(3, axis=2)
    data = layer({"images": pictures, "segmentation_masks": pictures})
    assert not np.array_equal(data["images"], pictures)
    np.testing.assert_array_equal(data["images"], data["segmentation_masks"])


def test_what_a_dict_holds_besides_is_handed_on():
    data = {"images": PICTURES, "labels": np.arange(3), "weights": np.ones(3, "float32")}
    changed = layers.RandomFlip()(data)
    assert list(changed) == list(data)
    np.testing.assert_array_equal(changed["labels"], data["labels"])
    assert data["images"] is PICTURES


def test_dicts_in_a_functional_model():
    inputs = {
        "images": lamina.Input((9, 12, 3)),
        "segmentation_masks": lamina.Input((9, 12, 1), dtype="uint8"),
    }
    outputs = layers.RandomRotation(0.2)(layers.CenterCrop(8, 8)(inputs))
    assert outputs["images"].shape == (None, 8, 8, 3)
    assert outputs["segmentation_masks"].dtype == "uint8"
    model = lamina.Model(inputs, outputs)
    shown = model.predict({"images": PICTURES, "segmentation_masks": MASKS}, verbose=0)
    np.testing.assert_array_equal(shown["images"], layers.CenterCrop(8, 8)(PICTURES))


def test_boxes_are_cut_off_and_filled_up_to_one_number():
    layer = layers.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
    data = layer({"images": PICTURES, "bounding_boxes": {"boxes": BOXES, "labels": CLASSES}})
    theirs = keras.layers.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
    expected = theirs({"images": PICTURES, "bounding_boxes": {"boxes": BOXES, "labels": CLASSES}})
    for part in ("boxes", "labels"):
        np.testing.assert_array_equal(
            data["bounding_boxes"][part], expected["bounding_boxes"][part]
        )
    one = layers.MaxNumBoundingBoxes(1, fill_value=0, bounding_box_format="xyxy")
    data = one({"images": PICTURES, "bounding_boxes": found()})
    assert data["bounding_boxes"]["labels"].tolist() == [[4], [6], [7]]
    assert type(one).from_config(one.get_config()).fill_value == 0


def test_a_model_that_augments_is_trained_without_compiling_again(compilations):
    model = lamina.Sequential([
        lamina.Input((9, 12, 3), dtype="uint8"),
        layers.Rescaling(1 / 255),
        layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomZoom(0.2),
        layers.RandomTranslation(0.1, 0.1), layers.RandomShear(0.1), layers.RandomPerspective(),
        layers.RandomElasticTransform(scale=0.3, value_range=(0, 1)), layers.RandomCrop(8, 8),
        layers.Flatten(), layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = (np.tile(PICTURES, (4, 1, 1, 1)) * 255).astype("uint8"), np.tile([0, 1, 0], 4)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    compilations.reset()
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert compilations.names == []
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))


# ---- what cannot be done -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: layers.RandomFlip("horizontl"), "Did you mean 'horizontal'"),
        (lambda: layers.RandomRotation(1.5), r"factor must be a number.*-1 to 1; received 1\.5"),
        (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), r"received \(0\.1, 0\.2, 0\.3\)"),
        (lambda: layers.RandomRotation(0.1, fill_mode="reflct"), "Did you mean 'reflect'"),
        (lambda: layers.RandomRotation(0.1, interpolation="bicubic"), "Unknown interpolation"),
        (lambda: layers.RandomZoom(-1.0), "above -1"),
        (lambda: layers.RandomZoom("much"), "received 'much'"),
        (lambda: layers.RandomTranslation(0.1, 2), "width_factor must be"),
        (lambda: layers.RandomPerspective(scale=2.0), r"scale must be a number from 0 to 1"),
        (lambda: layers.RandomElasticTransform(value_range=(1, 0)), "pair of the smallest"),
        (lambda: layers.Resizing(0, 5), "height must be an integer of at least 1"),
        (lambda: layers.Resizing(5, 5, "bilinar"), "Did you mean 'bilinear'"),
        (lambda: layers.Resizing(5, 5, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
         "either crop or pad"),
        (lambda: layers.Resizing(5, 5, fill_mode="edge"), "Unknown fill_mode"),
        (lambda: layers.RandomFlip(bounding_box_format="corners"), "Known: center_xywh"),
        (lambda: layers.RandomFlip()(PICTURES[..., 0][0]), r"received shape \(9, 12\)"),
        (lambda: layers.RandomFlip()({"image": PICTURES}), "needs an entry 'images'"),
        (lambda: layers.RandomFlip()({"images": PICTURES, "bounding_boxes": found()}),
         "bounding_box_format='xyxy'"),
        (lambda: layers.RandomFlip(bounding_box_format="xyxy")(
            {"images": PICTURES, "bounding_boxes": {"boxes": BOXES}}), "'boxes' and 'labels'"),
    ],
)  # fmt: skip
def test_impossible_requests_say_what_is_possible(call, says):
    with pytest.raises((ValueError, TypeError), match=says):
        call()


def test_boxes_cannot_be_bent():
    layer = layers.RandomElasticTransform(bounding_box_format="xyxy")
    with pytest.raises(NotImplementedError, match="cannot change bounding boxes"):
        layer({"images": PICTURES, "bounding_boxes": found()})
