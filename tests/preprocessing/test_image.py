"""ImageDataGenerator and its helpers. Expected: the legacy package of Keras 3, pixel by pixel."""

import keras.src.legacy.preprocessing.image as theirs
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import lamina
from lamina.core.messages.errors import LaminaWarning
from lamina.preprocessing import image as ours

pytestmark = [
    # Keras calls SciPy by a name that SciPy has moved.
    pytest.mark.filterwarnings("ignore:Please (use|import) `affine_transform`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This ImageDataGenerator specifies:UserWarning"),
]
PICTURES = np.random.default_rng(seed=0).uniform(0, 255, (6, 5, 4, 3)).astype("float32")
LABELS = np.array([0, 1, 0, 1, 0, 1])
SETTINGS = {
    "nothing": {},
    "rescale": {"rescale": 1 / 255},
    "rotation": {"rotation_range": 40},
    "shift": {"width_shift_range": 0.3, "height_shift_range": 0.2},
    "shift by pixels": {"width_shift_range": 2, "height_shift_range": 2.5},
    "shift from a list": {"width_shift_range": [1, 2], "height_shift_range": [0.1, 0.2]},
    "shear": {"shear_range": 20.0, "fill_mode": "constant", "cval": 7.0},
    "zoom": {"zoom_range": 0.3, "fill_mode": "reflect", "interpolation_order": 0},
    "zoom between": {"zoom_range": (0.5, 2.0), "fill_mode": "wrap"},
    "flip": {"horizontal_flip": True, "vertical_flip": True},
    "channels": {"channel_shift_range": 60.0},
    "brightness": {"brightness_range": (0.4, 1.5)},
    "sample": {"samplewise_center": True, "samplewise_std_normalization": True},
    "function": {"preprocessing_function": lambda x: x * 2 + 1},
    "all": {
        "rotation_range": 20,
        "width_shift_range": 0.2,
        "shear_range": 5.0,
        "zoom_range": 0.2,
        "horizontal_flip": True,
        "channel_shift_range": 5.0,
        "rescale": 0.01,
    },
}
FITTED = {
    "center": {"featurewise_center": True},
    "deviation": {"featurewise_center": True, "featurewise_std_normalization": True},
    "whitening": {"featurewise_center": True, "zca_whitening": True, "zca_epsilon": 1.0},
    "augmented": {"featurewise_center": True, "rotation_range": 90, "rescale": 0.1},
}


def same(found, expected, tolerance=1e-4):
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for mine, other in zip(found, expected, strict=True):
            same(mine, other, tolerance)
    else:
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, atol=tolerance, rtol=1e-4)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name", SETTINGS)
def test_batches_are_those_of_keras(name, data_format):
    if data_format == "channels_first" and name == "brightness":
        pytest.skip("Keras takes the picture for one with channels last")
    x = PICTURES if data_format == "channels_last" else PICTURES.transpose(0, 3, 1, 2)
    flows = [
        package.ImageDataGenerator(data_format=data_format, **SETTINGS[name]).flow(
            x, LABELS, batch_size=4, seed=3
        )
        for package in (ours, theirs)
    ]
    assert len(flows[0]) == len(flows[1]) == 2
    for _ in range(3):  # into the second epoch
        same(next(flows[0]), next(flows[1]))
    same(flows[0][1], flows[1][1])


@pytest.mark.parametrize("name", FITTED)
def test_what_is_measured_is_what_keras_measures(name):
    found = []
    for package in (ours, theirs):
        generator = package.ImageDataGenerator(**FITTED[name])
        generator.fit(PICTURES, augment=name == "augmented", rounds=2, seed=1)
        found.append([generator.standardize(PICTURES[:2].copy()), generator.mean])
    same(*found, tolerance=1e-2)


@pytest.mark.parametrize(
    "settings",
    [
        {"y": None, "shuffle": False},
        {"y": LABELS, "sample_weight": np.arange(6.0), "shuffle": False},
        {"y": LABELS, "subset": "training", "seed": 0},
        {"y": LABELS, "subset": "validation", "shuffle": False},
    ],
    ids=lambda settings: ",".join(settings),
)
def test_parts_of_the_data_are_those_of_keras(settings):
    flows = [
        package.ImageDataGenerator(validation_split=0.4).flow(PICTURES, batch_size=3, **settings)
        for package in (ours, theirs)
    ]
    for batches in zip(*([flow[i] for i in range(len(flow))] for flow in flows), strict=True):
        same(*batches)


def test_further_inputs_go_along():
    other = np.arange(6)
    flow = ours.ImageDataGenerator().flow((PICTURES, other), LABELS, batch_size=4, shuffle=False)
    (x, more), y = flow[1]
    assert (x.shape, more.tolist(), y.tolist()) == ((2, 5, 4, 3), [4, 5], [0, 1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("pictures")
    for name, count in (("cats", 3), ("dogs", 4)):
        (top / name / "more").mkdir(parents=True)
        for i in range(count):
            place = top / name / ("more" if i == 1 else ".")
            Image.fromarray(PICTURES[i].astype("uint8")).save(place / f"{name}{i}.png")
    (top / "cats" / "readme.txt").write_text("no picture")
    return top


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"class_mode": "binary", "color_mode": "grayscale"},
        {"class_mode": "sparse", "classes": ["dogs", "cats"], "color_mode": "rgba"},
        {"class_mode": "input", "interpolation": "bilinear"},
        {"class_mode": None, "keep_aspect_ratio": True},
        {"subset": "validation", "shuffle": False},
        {"subset": "training", "seed": 2},
    ],
    ids=str,
)
def test_folders_are_read_as_in_keras(folder, settings, capsys):
    settings = {"target_size": (6, 6), "batch_size": 3, "seed": 1, **settings}
    flows = [
        package.ImageDataGenerator(validation_split=0.4, rotation_range=10).flow_from_directory(
            str(folder), **settings
        )
        for package in (ours, theirs)
    ]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == said[1]
    for name in ("class_indices", "filenames", "samples", "num_classes", "image_shape"):
        assert getattr(flows[0], name) == getattr(flows[1], name)
    assert flows[0].classes.tolist() == flows[1].classes.tolist()
    for _ in range(2):
        same(next(flows[0]), next(flows[1]))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"class_mode": "binary", "weight_col": "weight"},
        {"class_mode": "sparse", "classes": ["dog", "cat"]},
        {"class_mode": "categorical", "y_col": "several"},
        {"class_mode": "raw", "y_col": ["age", "weight"]},
        {"class_mode": "multi_output", "y_col": ["age", "weight"]},
        {"class_mode": "input", "subset": "training"},
        {"class_mode": None, "validate_filenames": False},
    ],
    ids=str,
)
def test_tables_are_read_as_in_keras(folder, settings):
    names = ["cats/cats0.png", "cats/cats2.png", "dogs/dogs0.png", "dogs/dogs2.png"]
    table = pd.DataFrame(
        {
            "filename": names,
            "class": ["cat", "cat", "dog", "dog"],
            "several": [["cat"], ["cat", "small"], ["dog"], ["dog", "small"]],
            "age": [3, 4, 5, 6],
            "weight": [0.5, 1.0, 1.5, 2.0],
        }
    )
    flows = [
        package.ImageDataGenerator(validation_split=0.25).flow_from_dataframe(
            table, str(folder), target_size=(4, 4), seed=0, **settings
        )
        for package in (ours, theirs)
    ]
    same(flows[0][0], flows[1][0])


def test_names_without_a_picture_are_left_out_with_a_word(folder):
    table = pd.DataFrame({"filename": ["cats/cats0.png", "nowhere.png"], "class": ["a", "b"]})
    with pytest.warns(LaminaWarning, match="1 names in the column 'filename' .*'nowhere.png'"):
        flow = ours.ImageDataGenerator().flow_from_dataframe(table, str(folder))
    assert flow.filenames == ["cats/cats0.png"]


def test_transformed_pictures_are_written(tmp_path):
    flow = ours.ImageDataGenerator().flow(
        PICTURES, batch_size=2, save_to_dir=tmp_path, save_prefix="it"
    )
    next(flow)
    assert len(list(tmp_path.glob("it_*.png"))) == 2


def test_fit_and_predict_take_its_batches():
    flow = ours.ImageDataGenerator(rescale=1 / 255, horizontal_flip=True).flow(
        PICTURES, LABELS, batch_size=4
    )
    model = lamina.Sequential([lamina.layers.Flatten(), lamina.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(flow, epochs=2, validation_data=flow, verbose=0)
    assert len(history.history["val_loss"]) == 2
    assert model.predict(flow, verbose=0).shape == (6, 1)
    model.fit(flow, steps_per_epoch=2, epochs=2, verbose=0)


FUNCTIONS = {
    "random_rotation": (30,),
    "random_shift": (0.2, 0.3),
    "random_shear": (20,),
    "random_zoom": ((0.5, 1.5),),
    "random_channel_shift": (40,),
    "apply_channel_shift": (40,),
}


@pytest.mark.parametrize("axes", [{}, {"row_axis": 0, "col_axis": 1, "channel_axis": 2}])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_one_picture_are_those_of_keras(name, axes):
    x = PICTURES[0] if axes else PICTURES[0].transpose(2, 0, 1)
    if "channel" in name:
        axes = {k: v for k, v in axes.items() if k == "channel_axis"}
    found = []
    for package in (ours, theirs):
        np.random.seed(0)
        found.append(getattr(package, name)(x, *FUNCTIONS[name], **axes))
    same(*found)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("x", [PICTURES[0], PICTURES[0] / 100 - 1], ids=["0 to 255", "small"])
def test_brightness_is_that_of_keras(x, scale):
    found = []
    for package in (ours, theirs):
        np.random.seed(0)
        found.append(package.random_brightness(x, (0.5, 1.5), scale))
    same(*found)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda g: g(zoom_range="x"), "zoom_range must be a pair"),
        (lambda g: g(brightness_range=1), "brightness_range must be a pair"),
        (lambda g: g(validation_split=2), "must be a fraction; received 2"),
        (lambda g: g(data_format="last"), "Known: channels_first, channels_last"),
        (lambda g: g().flow(PICTURES[0]), r"x\[..., None\] adds a channel axis"),
        (lambda g: g().flow(PICTURES, LABELS[:3]), "6 images and y has 3 rows"),
        (lambda g: g().flow(PICTURES, subset="train"), "Did you mean 'training'"),
        (
            lambda g: g(validation_split=0.5).flow(PICTURES, np.sort(LABELS), subset="training"),
            "different classes.*\n.*sorted by class",
        ),
        (lambda g: g().flow(PICTURES)[9], "no batch 9: the iterator has 1"),
        (lambda g: ours.apply_affine_transform(PICTURES[0], theta=1, row_axis=2), "three axes"),
    ],
)
def test_what_goes_wrong_is_explained(use, message):
    with pytest.raises(ValueError, match=message):
        use(ours.ImageDataGenerator)


def test_settings_that_need_others_say_so():
    with pytest.warns(LaminaWarning, match="sets samplewise_center=True"):
        generator = ours.ImageDataGenerator(samplewise_std_normalization=True)
    assert generator.samplewise_center
    generator = ours.ImageDataGenerator(featurewise_center=True)
    with pytest.warns(LaminaWarning, match=r"generator.fit\(x_train\) first"):
        generator.standardize(PICTURES.copy())
