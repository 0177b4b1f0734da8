"""Functions of pictures against those of Keras, in both layouts, alone and in batches."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina import ops
from lamina.ops.image.sampling import homography

RNG = np.random.default_rng(seed=5)
PICTURES = RNG.random((2, 7, 9, 3)).astype("float32")
BYTES = RNG.integers(0, 256, (2, 7, 9, 3)).astype("uint8")
WARP = np.array([[0.8, 0.3, -1.0, -0.2, 1.1, 0.5, 0, 0], [1, 0, 2.5, 0, 1, -3.25, 0, 0]], "float32")
START = np.array([[0, 0], [8, 0], [0, 6], [8, 6]], "float32")
END = np.array([[[1, 0.5], [7, 1], [0, 5], [8, 6.5]], [[0, 0], [8, 1], [2, 6], [6, 5]]], "float32")
STARTS = np.stack([START, START])

# Function, arguments after the pictures, settings.
CASES = [
    ("resize", [(4, 5)], {}),
    ("resize", [(14, 6)], {"interpolation": "nearest"}),
    ("resize", [(4, 12)], {"interpolation": "bicubic", "antialias": True}),
    ("resize", [(3, 3)], {"interpolation": "lanczos3", "crop_to_aspect_ratio": True}),
    ("resize", [(9, 5)], {"interpolation": "lanczos5", "crop_to_aspect_ratio": True}),
    ("resize", [(9, 5)], {"pad_to_aspect_ratio": True, "fill_value": 0.5}),
    ("affine_transform", [WARP], {}),
    ("affine_transform", [WARP], {"interpolation": "nearest", "fill_value": 2.0}),
    *(("affine_transform", [WARP], {"fill_mode": mode})
      for mode in ("nearest", "wrap", "mirror", "reflect")),
    ("perspective_transform", [STARTS, END], {}),
    ("perspective_transform", [STARTS, END], {"interpolation": "nearest", "fill_value": 0.5}),
    ("gaussian_blur", [], {"kernel_size": (3, 5), "sigma": (0.7, 1.5)}),
    ("gaussian_blur", [], {"kernel_size": (4, 21), "sigma": (2.0, 3.0)}),
    ("crop_images", [1, 2], {"target_height": 3, "right_cropping": 3}),
    ("pad_images", [1], {"target_height": 12, "left_padding": 0, "right_padding": 2}),
    ("extract_patches", [3], {}),
    ("extract_patches", [(2, 3)], {"strides": 2, "padding": "same"}),
    ("extract_patches", [2], {"strides": 1, "dilation_rate": 3}),
    ("sobel_edges", [], {}),
    ("rgb_to_grayscale", [], {}),
    ("rgb_to_hsv", [], {}),
    ("hsv_to_rgb", [], {}),
]  # fmt: skip
NAMES = [f"{name}-{i}" for i, (name, _, _) in enumerate(CASES)]


def channels_first(images):
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))


@pytest.mark.parametrize(("name", "arguments", "settings"), CASES, ids=NAMES)
def test_pictures_come_out_as_from_keras(name, arguments, settings):
    ours, theirs = getattr(ops.image, name), getattr(keras.ops.image, name)
    for layout, images in (
        ("channels_last", PICTURES),
        ("channels_first", channels_first(PICTURES)),
    ):
        given = {**settings, "data_format": layout}

        @jax.jit  # operation by operation they would be dozens of programs
        def changed(images, given=given):
            expected = theirs(images, *arguments, **given)
            batch = ours(images, *arguments, **given)
            if name == "sobel_edges":  # it takes batches alone
                return expected, batch, batch[1]
            alone = [a[1] if np.ndim(a) > 1 else a for a in arguments]
            return expected, batch, ours(images[1], *alone, **given)

        expected, batch, one = changed(images)
        np.testing.assert_allclose(batch, expected, atol=1e-5)
        assert batch.dtype == expected.dtype
        np.testing.assert_allclose(one, expected[1], atol=1e-5)


@pytest.mark.parametrize(("name", "arguments", "settings"), CASES[:6], ids=NAMES[:6])
def test_whole_numbers_stay_whole(name, arguments, settings):
    settings = {**settings, "fill_value": 7} if "fill_value" in settings else settings
    ours = getattr(ops.image, name)(BYTES, *arguments, **settings)
    expected = getattr(keras.ops.image, name)(BYTES, *arguments, **settings)
    assert ours.dtype == expected.dtype == "uint8"
    np.testing.assert_allclose(ours.astype(int), np.asarray(expected, int), atol=1)


@pytest.mark.parametrize(("name", "arguments", "settings"), CASES, ids=NAMES)
def test_pictures_of_a_functional_model(name, arguments, settings):
    x = lamina.Input((7, 9, 3))
    arguments = [jnp.asarray(a[0]) if np.ndim(a) > 1 else a for a in arguments]
    y = getattr(ops.image, name)(x, *arguments, **settings)
    actual = getattr(ops.image, name)(PICTURES, *arguments, **settings)
    assert y.shape[1:] == actual.shape[1:]
    assert y.dtype == actual.dtype


def test_a_model_of_such_functions_is_saved_and_opened_by_keras(tmp_path):
    x = lamina.Input((7, 9, 3))
    y = ops.image.resize(x, (4, 5), interpolation="bicubic", antialias=True)
    y = ops.image.rgb_to_grayscale(ops.image.hsv_to_rgb(y))
    y = ops.image.extract_patches(ops.image.pad_images(y, 0, 0, 1, None, None, 6), 2)
    model = lamina.Model(x, y)
    model.save(tmp_path / "m.keras")
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(model.predict(PICTURES), theirs.predict(PICTURES), atol=1e-5)
    again = lamina.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model.predict(PICTURES), again.predict(PICTURES))


def test_patches_of_volumes_are_those_of_keras():
    volumes = RNG.random((2, 4, 5, 6, 2)).astype("float32")
    for settings in ({"size": 2}, {"size": (2, 3, 2), "strides": 1, "padding": "same"}):
        expected = keras.ops.image.extract_patches_3d(volumes, **settings)
        np.testing.assert_allclose(ops.image.extract_patches_3d(volumes, **settings), expected)
    first = np.moveaxis(volumes, -1, 1)
    ours = ops.image.extract_patches_3d(first, 2, data_format="channels_first")
    expected = ops.image.extract_patches_3d(volumes, 2)
    np.testing.assert_array_equal(jnp.moveaxis(ours, 1, -1), expected)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
def test_map_coordinates_is_that_of_keras(order, fill_mode):
    x, places = PICTURES[0, :, :, 0], RNG.uniform(-12, 18, (2, 4, 5)).astype("float32")
    expected = keras.ops.image.map_coordinates(x, places, order, fill_mode, 0.5)
    np.testing.assert_allclose(
        ops.image.map_coordinates(x, places, order, fill_mode, 0.5), expected, atol=1e-5
    )


def test_scale_and_translate_is_that_of_keras():
    arguments = ((2, 5, 12, 3), np.float32([0.6, 1.4]), np.float32([0.3, -1.0]), (1, 2), "cubic")
    expected = keras.ops.image.scale_and_translate(PICTURES, *arguments)
    ours = ops.image.scale_and_translate(PICTURES, *arguments)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("settings", [{"filter_size": 5}, {"filter_size": 3, "max_val": 2.0}])
def test_ssim_is_that_of_keras(settings):
    other = np.clip(PICTURES + RNG.normal(0, 0.1, PICTURES.shape), 0, 1).astype("float32")
    expected = keras.ops.image.ssim(PICTURES, other, **settings)
    np.testing.assert_allclose(ops.image.ssim(PICTURES, other, **settings), expected, atol=1e-5)
    alone = ops.image.ssim(PICTURES[0], other[0], **settings)
    np.testing.assert_allclose(alone, expected[0], atol=1e-5)


def test_one_map_serves_all_pictures():
    both = ops.image.affine_transform(PICTURES, WARP[0])
    np.testing.assert_array_equal(both, ops.image.affine_transform(PICTURES, WARP[[0, 0]]))


def test_a_homography_takes_end_points_to_start_points():
    maps = np.asarray(homography(STARTS, END), "float64")
    for eight, start, end in zip(maps, STARTS, END, strict=True):
        matrix = np.append(eight, 1).reshape(3, 3)
        points = matrix @ np.concatenate([end.T, np.ones((1, 4))])
        np.testing.assert_allclose((points[:2] / points[2]).T, start, atol=1e-4)


def test_affine_transform_knows_perspective():
    maps = homography(STARTS, END)
    expected = ops.image.perspective_transform(PICTURES, STARTS, END)
    np.testing.assert_array_equal(ops.image.affine_transform(PICTURES, maps), expected)


def test_elastic_fields_are_smooth_reproducible_and_go_both_ways():
    ramp_x = np.broadcast_to(np.arange(32.0)[None, :, None], (32, 32, 1))
    ramps = np.concatenate([ramp_x, np.swapaxes(ramp_x, 0, 1)], axis=-1).astype("float32")
    bent = ops.image.elastic_transform(ramps, 20.0, 4.0, fill_mode="nearest", seed=3)
    np.testing.assert_array_equal(
        bent, ops.image.elastic_transform(ramps, 20.0, 4.0, fill_mode="nearest", seed=3)
    )
    shift = np.asarray(bent - ramps)[8:-8, 8:-8]
    assert shift.std() > 0.5
    assert np.abs(np.diff(shift, axis=0)).mean() < 0.5 * shift.std()
    assert abs(np.corrcoef(shift[..., 0].ravel(), shift[..., 1].ravel())[0, 1]) < 0.9


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda i: i.resize(PICTURES, (0, 5)), r"integers above 0; received \(0, 5\)"),
        (lambda i: i.resize(PICTURES, (5, 5), "bilinar"), r"Did you mean 'bilinear'"),
        (lambda i: i.resize(PICTURES[0, 0], (5, 5)), r"received shape \(9, 3\)"),
        (lambda i: i.resize(PICTURES, (5, 5), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
         "either crop or pad"),
        (lambda i: i.affine_transform(PICTURES, [1, 0, 0]), r"8 numbers.*received shape \(3,\)"),
        (lambda i: i.affine_transform(PICTURES, WARP[[0, 0, 1]]), "3 transforms for 2 images"),
        (lambda i: i.affine_transform(PICTURES, WARP, fill_mode="edge"), "Unknown fill_mode"),
        (lambda i: i.perspective_transform(PICTURES, START[:3], START), r"start_points of shape"),
        (lambda i: i.crop_images(PICTURES, 1, 1), "needs exactly two of top_cropping"),
        (lambda i: i.crop_images(PICTURES, 5, 0, 5, 0), "cannot cut a height of 7"),
        (lambda i: i.pad_images(PICTURES, 0, 0, target_height=5, target_width=9),
         "cannot bring a height of 7 to 5"),
        (lambda i: i.extract_patches(PICTURES, 8), "do not fit into an input"),
        (lambda i: i.rgb_to_hsv(BYTES), "takes floats; received uint8"),
        (lambda i: i.rgb_to_grayscale(PICTURES[..., :2]), "needs 1 or 3 channels"),
        (lambda i: i.ssim(PICTURES, PICTURES), "windows of 11 × 11 pixels"),
        (lambda i: i.map_coordinates(PICTURES, np.zeros((2, 3)), 1), "a row for each axis"),
        (lambda i: i.scale_and_translate(PICTURES, (2, 5, 5, 3), [1.0], [1.0], (1, 2), "linear"),
         "one scale and one translation"),
    ],
)  # fmt: skip
def test_impossible_requests_say_what_is_possible(call, says):
    with pytest.raises(ValueError, match=says):
        call(ops.image)


def test_sizes_of_a_blur_may_be_an_array():
    sizes, sigma = np.array([3, 5]), np.array([1.0, 2.0])
    expected = ops.image.gaussian_blur(PICTURES, (3, 5), (1.0, 2.0))
    assert ops.image.gaussian_blur(PICTURES, sizes, sigma).tolist() == expected.tolist()


def test_a_size_of_none_is_that_of_the_images():
    given = [PICTURES, (None, 5, 5, None), [1.0, 1.0], [0.0, 0.0], (1, 2), "linear"]
    assert ops.image.scale_and_translate(*given).shape == (len(PICTURES), 5, 5, PICTURES.shape[-1])
