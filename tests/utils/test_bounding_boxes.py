"""Bounding boxes against those of Keras, and against boxes painted into pictures."""

import keras
import numpy as np
import pytest

from lamina import layers
from lamina.ops import boxes as ours_boxes
from lamina.utils import bounding_boxes as ours

theirs = keras.utils.bounding_boxes
RNG = np.random.default_rng(seed=2)
CORNERS = np.sort(RNG.random((2, 3, 2, 2)), axis=-2).reshape(2, 3, 4).astype("float32")
SIZE = {"height": 40, "width": 60}
PIXELS = CORNERS * np.float32([60, 40, 60, 40])
SHAPE = (40, 60, 3)


@pytest.mark.parametrize("target", ours_boxes.FORMATS)
@pytest.mark.parametrize("source", ours_boxes.FORMATS)
def test_formats_are_those_of_keras_and_lead_back(source, target):
    written = theirs.convert_format(PIXELS, "xyxy", source, **SIZE)
    expected = theirs.convert_format(written, source, target, **SIZE)
    converted = ours.convert_format(written, source, target, **SIZE)
    np.testing.assert_allclose(converted, expected, atol=1e-4, rtol=1e-6)
    np.testing.assert_allclose(
        ours.convert_format(converted, target, "xyxy", **SIZE), PIXELS, atol=1e-4
    )


def test_a_dict_is_converted_and_the_one_given_stays():
    found = {"boxes": PIXELS, "labels": np.zeros((2, 3))}
    converted = ours.convert_format(found, "xyxy", "rel_xywh", **SIZE)
    expected = ours.convert_format(PIXELS, "xyxy", "rel_xywh", **SIZE)
    np.testing.assert_array_equal(converted["boxes"], expected)
    assert found["boxes"] is PIXELS


@pytest.mark.parametrize("written", ["xyxy", "rel_xyxy"])
def test_clipping_is_that_of_keras(written):
    wide = (CORNERS - 0.4) * 1.6 if written == "rel_xyxy" else PIXELS * 2 - 30
    labels = np.arange(6).reshape(2, 3)
    expected = theirs.clip_to_image_size({"boxes": wide, "labels": labels}, **SIZE,
                                         bounding_box_format=written)  # fmt: skip
    clipped = ours.clip_to_image_size({"boxes": wide, "labels": labels}, **SIZE,
                                      bounding_box_format=written)  # fmt: skip
    for part in ("boxes", "labels"):
        np.testing.assert_allclose(clipped[part], expected[part], atol=1e-5)


@pytest.mark.parametrize("written", ours_boxes.FORMATS)
def test_clipping_means_the_same_in_every_format(written):
    wide = PIXELS * 2 - 30
    boxes = ours.convert_format(wide, "xyxy", written, **SIZE)
    clipped = ours.clip_to_image_size({"boxes": boxes}, **SIZE, bounding_box_format=written)
    expected = ours.clip_to_image_size({"boxes": wide}, **SIZE)["boxes"]
    back = ours.convert_format(clipped["boxes"], written, "xyxy", **SIZE)
    np.testing.assert_allclose(back, expected, atol=1e-3)


def test_crop_pad_and_affine_transform_are_those_of_keras():
    cut = (5, 10, 20, 30)
    np.testing.assert_allclose(ours.crop(PIXELS, *cut), theirs.crop(PIXELS, *cut))
    np.testing.assert_allclose(ours.pad(PIXELS, 5, 10), theirs.pad(PIXELS, 5, 10))
    turn = [np.float32(pair) for pair in
            ([20, -70], [0.1, 0.0], [0.0, -0.2], [1.0, 1.3], [5, 0], [0, 10])]  # fmt: skip
    for middle in ({}, {"center_x": 0.2, "center_y": 0.7}):
        expected = theirs.affine_transform(PIXELS, *turn, **SIZE, **middle)
        moved = ours.affine_transform(PIXELS, *turn, **SIZE, **middle)
        np.testing.assert_allclose(moved, expected, atol=1e-3)


@pytest.mark.parametrize("written", ["xyxy", "center_xywh", "rel_yxyx"])
def test_overlap_is_that_of_keras(written):
    one = theirs.convert_format(PIXELS, "xyxy", written, **SIZE)
    other = theirs.convert_format(PIXELS[:, ::-1] + 4, "xyxy", written, **SIZE)
    arguments = {"bounding_box_format": written, "image_shape": SHAPE}
    expected = theirs.compute_iou(one, other, **arguments)
    np.testing.assert_allclose(ours.compute_iou(one, other, **arguments), expected, atol=1e-5)
    single = ours.compute_iou(one[0], other[0], **arguments)
    np.testing.assert_allclose(single, expected[0], atol=1e-5)
    if written != "rel_yxyx":  # which Keras refuses, image_shape or not
        expected = theirs.compute_ciou(one, other, **arguments)
        ciou = ours.compute_ciou(one, other, **arguments)
        np.testing.assert_allclose(ciou, expected, atol=1e-5)


def test_padding_has_no_overlap():
    padded = np.concatenate([PIXELS, -np.ones((2, 1, 4), "float32")], axis=1)
    expected = theirs.compute_iou(padded, padded, "xyxy", use_masking=True, mask_val=-3)
    iou = ours.compute_iou(padded, padded, "xyxy", use_masking=True, mask_val=-3)
    np.testing.assert_allclose(iou, expected, atol=1e-5)
    assert (np.asarray(iou)[:, -1] == -3).all()


@pytest.mark.parametrize("encoding", ["center_yxhw", "center_xywh"])
def test_deltas_are_those_of_keras_and_lead_back(encoding):
    anchors, variance = PIXELS[:, ::-1], [0.1, 0.1, 0.2, 0.2]
    settings = {"variance": variance, "image_shape": SHAPE}
    formats = ("xyxy", "xywh", encoding)
    expected = theirs.encode_box_to_deltas(anchors, PIXELS, *formats, **settings)
    deltas = ours.encode_box_to_deltas(anchors, PIXELS, *formats, **settings)
    np.testing.assert_allclose(deltas, expected, atol=1e-4, rtol=1e-5)
    back = ours.decode_deltas_to_boxes(anchors, deltas, *formats, **settings)
    expected = theirs.decode_deltas_to_boxes(anchors, expected, *formats, **settings)
    np.testing.assert_allclose(back, expected, atol=1e-3, rtol=1e-5)
    levels = ours.decode_deltas_to_boxes({"a": anchors}, {"a": deltas}, *formats, **settings)
    np.testing.assert_array_equal(levels["a"], back)


def test_lists_of_unequal_length_are_filled_up():
    found = {"boxes": [[[0, 0, 4, 4], [1, 1, 2, 2]], []], "labels": [[5, 6], []]}
    dense = ours_boxes.as_arrays(found)
    assert dense["boxes"].shape == (2, 2, 4)
    assert dense["labels"].tolist() == [[5, 6], [-1, -1]]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ours.convert_format(PIXELS, "xyxy", "xywy"), "Did you mean"),
        (lambda: ours.convert_format(PIXELS, "xyxy", "rel_xyxy"), "needs the image's size"),
        (lambda: ours.convert_format(PIXELS[..., :3], "xyxy", "xywh"), r"shape \(2, 3, 3\)"),
        (lambda: ours.clip_to_image_size({"boxes": PIXELS}), "needs the image's size"),
        (lambda: ours.crop(PIXELS, 0, 0, 5, 5, "xywh"), "takes boxes in 'xyxy'"),
        (lambda: ours.compute_iou(PIXELS, PIXELS, "rel_xyxy"), "needs image_shape"),
        (lambda: ours.compute_iou(PIXELS[0, 0], PIXELS, "xyxy"), r"received \(4,\)"),
        (lambda: ours.encode_box_to_deltas(PIXELS, PIXELS, "xyxy", "xyxy", "xywh"), "center_xywh"),
        (lambda: ours.encode_box_to_deltas(PIXELS, PIXELS, "xyxy", "xyxy", variance=[1.0]),
         "four numbers"),
        (lambda: ours_boxes.as_arrays({"boxes": PIXELS}), "'boxes' and 'labels'"),
        (lambda: ours_boxes.as_arrays({"boxes": PIXELS, "labels": np.zeros(2)}), r"\(2, 3\)"),
    ],
)  # fmt: skip
def test_impossible_requests_say_what_is_possible(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_boxes_of_one_picture_may_have_their_labels_in_a_batch_of_one():
    boxes = {"boxes": [[2, 1, 4, 3], [6, 4, 9, 9]], "labels": np.array([[1, 2]])}
    crop = layers.CenterCrop(8, 8, bounding_box_format="xyxy")
    cropped = crop({"images": np.zeros((10, 8, 3)), "bounding_boxes": boxes})["bounding_boxes"]
    assert cropped["labels"].tolist() == [1, 2]
    assert cropped["boxes"].tolist() == [[2, 0, 4, 2], [6, 3, 8, 8]]
