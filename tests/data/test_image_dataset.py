import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.utils.image_dataset_utils import _load_image_grain as load_by_keras
from PIL import Image

import lamina
from lamina.utils import image_dataset_from_directory, load_img, resizing, save_img
from lamina.utils.image import array_to_img, img_to_array, smart_resize


@pytest.mark.parametrize("how", [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}])
@pytest.mark.parametrize(
    ("color_mode", "channels", "interpolation"),
    [("rgb", 3, "bilinear"), ("rgba", 4, "lanczos3"), ("grayscale", 1, "bicubic")],
)
def test_pictures_arrive_as_keras_reads_them(pictures, how, color_mode, channels, interpolation):
    dataset = image_dataset_from_directory(
        pictures, color_mode=color_mode, interpolation=interpolation, image_size=(12, 16),
        shuffle=False, verbose=False, labels=None, batch_size=None, **how,
    )  # fmt: skip
    for path, picture in zip(dataset.file_paths[:2], dataset.take(2), strict=True):
        expected = load_by_keras(path, (12, 16), channels, interpolation, "channels_last", **how)
        assert picture.dtype == np.float32
        np.testing.assert_allclose(picture, expected, atol=2e-3)


@pytest.mark.parametrize(
    "interpolation", ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"]
)
@pytest.mark.parametrize("size", [(5, 9), (40, 17)])
def test_resizing_has_kerass_numbers(rng, interpolation, size):
    image = rng.integers(0, 256, (2, 20, 13, 3)).astype("float32")
    expected = keras.ops.image.resize(image, size, interpolation)
    np.testing.assert_allclose(resizing.resize(image, size, interpolation), expected, atol=2e-3)


def test_area_is_the_mean_of_what_a_pixel_covers(rng):
    image = rng.uniform(size=(6, 9, 1))
    means = image.reshape(3, 2, 3, 3, 1).mean(axis=(1, 3))
    np.testing.assert_allclose(resizing.resize(image, (3, 3), "area"), means, rtol=1e-6)
    ramp = np.arange(5.0)[:, None, None]  # 5 pixels to 2: the middle one is shared
    shrunk = resizing.resize(ramp, (2, 1), "area")
    np.testing.assert_allclose(shrunk.ravel(), [(0 + 1 + 2 / 2) / 2.5, (2 / 2 + 3 + 4) / 2.5])


@pytest.mark.parametrize("interpolation", resizing.INTERPOLATIONS)
def test_a_plain_picture_stays_plain_at_any_size(interpolation):
    picture = np.full((7, 5, 3), 200, dtype="uint8")
    for size in ((3, 2), (16, 11)):
        resized = resizing.resize(picture, size, interpolation)
        np.testing.assert_allclose(resized, 200, rtol=1e-5)


@pytest.mark.parametrize("interpolation", ["gaussian", "mitchellcubic"])
def test_smooth_kernels_keep_a_straight_ramp_straight_inside(interpolation):
    ramp = np.arange(16, dtype="float32")[None, :, None]
    resized = resizing.resize(ramp, (1, 32), interpolation)[0, 8:-8, 0]
    np.testing.assert_allclose(resized, (np.arange(32) * 0.5 - 0.25)[8:-8], atol=0.06)


def test_a_network_trains_on_a_folder_and_reads_it_again(pictures):
    training, validation = image_dataset_from_directory(
        pictures, image_size=(8, 8), validation_split=0.4, subset="both", seed=1, batch_size=4,
        verbose=False,
    )  # fmt: skip
    model = lamina.Sequential(
        [lamina.layers.Rescaling(1 / 255), lamina.layers.Flatten(), lamina.layers.Dense(2)]
    )
    loss = lamina.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    history = model.fit(training, validation_data=validation, epochs=2, verbose=0)
    assert len(history.history["val_loss"]) == 2
    assert model.predict(validation, verbose=0).shape == (4, 2)


def test_a_broken_picture_is_named(pictures):
    broken = pictures / "dog" / "3.png"
    broken.write_bytes(broken.read_bytes()[:60])
    dataset = image_dataset_from_directory(pictures, verbose=False)
    with pytest.raises(ValueError, match=r"picture .*dog.3\.png cannot be read"):
        list(dataset)


def test_a_file_that_is_no_picture_is_named(pictures):
    (pictures / "cat" / "page.jpg").write_text("<html>not found</html>")
    dataset = image_dataset_from_directory(pictures, verbose=False)
    with pytest.raises(ValueError, match=r"cat.page\.jpg is not a picture that Pillow can read"):
        list(dataset)


@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
def test_load_img_gives_kerass_pixels(pictures, color_mode, keep_aspect_ratio):
    path = pictures / "cat" / "1.png"
    how = {
        "color_mode": color_mode, "target_size": (10, 14), "interpolation": "bicubic",
        "keep_aspect_ratio": keep_aspect_ratio,
    }  # fmt: skip
    ours, theirs = load_img(path, **how), keras.utils.load_img(path, **how)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_sixteen_bits_of_grey_are_kept(tmp_path):
    depth = np.array([[0, 40000]], dtype="uint16")
    Image.fromarray(depth).save(tmp_path / "depth.png")
    array = img_to_array(load_img(tmp_path / "depth.png", color_mode="grayscale"))
    assert array[..., 0].tolist() == depth.tolist()


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("scale", [True, False])
def test_arrays_become_kerass_pictures_and_back(rng, data_format, channels, scale):
    shape = (5, 6, channels) if data_format == "channels_last" else (channels, 5, 6)
    array = rng.uniform(0, 200, shape).astype("float32")
    ours = array_to_img(array, data_format, scale)
    theirs = keras.utils.array_to_img(array, data_format, scale)
    assert ours.mode == theirs.mode
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    np.testing.assert_array_equal(
        img_to_array(ours, data_format), keras.utils.img_to_array(theirs, data_format)
    )


def test_a_saved_picture_is_read_back(tmp_path, rng):
    pixels = rng.integers(0, 256, (4, 5, 3)).astype("float32")
    save_img(tmp_path / "a.png", pixels, scale=False)
    np.testing.assert_array_equal(img_to_array(load_img(tmp_path / "a.png")), pixels)


def test_jpeg_without_transparency_is_said(tmp_path):
    with pytest.warns(lamina.LaminaWarning, match="keeps no transparency"):
        save_img(tmp_path / "a.jpg", np.ones((2, 2, 4)))
    assert load_img(tmp_path / "a.jpg").mode == "RGB"


@pytest.mark.parametrize("shape", [(20, 12, 3), (2, 9, 30, 1)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_smart_resize_does_not_distort(rng, shape, data_format):
    x = rng.uniform(size=shape).astype("float32")
    x = np.moveaxis(x, -1, -3) if data_format == "channels_first" else x
    expected = keras.preprocessing.image.smart_resize(x, (7, 8), data_format=data_format)
    resized = smart_resize(x, (7, 8), data_format=data_format)
    np.testing.assert_allclose(resized, expected, atol=1e-5)
    on_device = smart_resize(jnp.asarray(x), (7, 8), data_format=data_format)
    np.testing.assert_allclose(on_device, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_img("nowhere.png"), "no picture 'nowhere.png'"),
        (lambda: load_img("nowhere.png", target_size=(3, 0)), r"in pixels.*received \(3, 0\)"),
        (lambda: load_img("nowhere.png", color_mode="bgr"), "color_mode must be .*received 'bgr'"),
        (lambda: load_img("nowhere.png", interpolation="area"), "interpolation must be one of"),
        (lambda: array_to_img(np.ones((2, 2))), r"3 axes; received shape \(2, 2\)"),
        (lambda: array_to_img(np.ones((2, 2, 2))), "1, 3 or 4 channels; received 2"),
        (lambda: smart_resize(np.ones((4, 4)), (2, 2)), r"received shape \(4, 4\)"),
        (lambda: smart_resize(np.ones((4, 4, 3)), (2,)), r"received \(2,\)"),
        (lambda: save_img("picture", np.ones((2, 2, 3))), "no suffix"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        call()
