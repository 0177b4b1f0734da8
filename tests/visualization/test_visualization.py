import numpy as np
import pytest

from lamina.utils import load_img
from lamina.visualization import (
    draw_bounding_boxes,
    draw_segmentation_masks,
    plot_bounding_box_gallery,
    plot_image_gallery,
    plot_segmentation_mask_gallery,
)

pytestmark = pytest.mark.quick

BOXES = {"boxes": np.array([[[4, 6, 20, 16], [0, 0, 1, 1]]]), "labels": np.array([[1, -1]])}


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_frame_has_its_corners_where_the_box_has_them(dtype):
    images = np.zeros((1, 24, 32, 3), dtype)
    drawn = draw_bounding_boxes(images, BOXES, "xyxy", color=(255, 0, 10), line_thickness=1)
    assert drawn.dtype == np.uint8
    rows, columns = np.nonzero(drawn[0, ..., 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 16, 4, 20)
    assert drawn[0, 6, 10].tolist() == [255, 0, 10]
    assert not drawn[0, 10, 10].any()
    assert not drawn[0, 0, 0].any()  # label -1 is no box


def test_other_formats_and_orders_of_channels():
    images = np.zeros((1, 3, 24, 32))
    boxes = {**BOXES, "boxes": np.array([[[4, 6, 16, 10], [0, 0, 1, 1]]])}
    drawn = draw_bounding_boxes(
        images, boxes, "xywh", line_thickness=1, data_format="channels_first"
    )
    assert drawn.shape == (1, 3, 24, 32)
    rows, columns = np.nonzero(drawn[0, 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 16, 4, 20)


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_can_be_drawn_on(channels):
    drawn = draw_bounding_boxes(
        np.zeros((1, 24, 32, channels), "uint8"), BOXES, "xyxy", color=(255, 255, 255)
    )
    assert drawn.shape == (1, 24, 32, channels)
    assert drawn[0, 6, 10, 0] == 255


def test_names_and_confidences_are_written():
    images = np.zeros((1, 80, 120, 3), "uint8")
    boxes = {"boxes": np.array([[[10, 40, 100, 70]]]), "labels": np.array([[1]])}
    plain = draw_bounding_boxes(images, boxes, "xyxy")
    named = draw_bounding_boxes(images, boxes, "xyxy", class_mapping={1: "cat"})
    sure = draw_bounding_boxes(
        images, {**boxes, "confidences": np.array([[0.9]])}, "xyxy", class_mapping={1: "cat"}
    )
    lit = [np.count_nonzero(drawn[0, :40]) for drawn in (plain, named, sure)]
    assert lit[0] == 0
    assert 0 < lit[1] < lit[2]


def test_masks_are_mixed_in_and_the_background_is_left():
    images = np.full((1, 2, 2, 3), 100, "uint8")
    masks = np.array([[[0, 1], [2, 3]]])
    drawn = draw_segmentation_masks(
        images, masks, color_mapping={1: (200, 0, 0), 2: (0, 200, 0), 3: (0, 0, 0)}, alpha=0.5,
        ignore_index=3,
    )  # fmt: skip
    assert drawn[0].tolist() == [
        [[100, 100, 100], [150, 50, 50]], [[50, 150, 50], [100, 100, 100]],
    ]  # fmt: skip


def test_masks_can_be_painted_over_and_have_an_axis_more():
    images = np.full((1, 3, 2, 2), 100, "uint8")
    masks = np.array([[[[0, 1], [1, 0]]]])
    drawn = draw_segmentation_masks(
        images, masks, color_mapping={1: (9, 8, 7)}, blend=False, data_format="channels_first"
    )
    assert drawn[0, :, 0, 1].tolist() == [9, 8, 7]
    assert drawn[0, :, 0, 0].tolist() == [100, 100, 100]


def test_classes_have_colours_of_their_own():
    masks = np.arange(6).reshape(1, 2, 3)
    drawn = draw_segmentation_masks(np.zeros((1, 2, 3, 3)), masks, alpha=1.0)
    assert len({tuple(colour) for colour in drawn.reshape(-1, 3).tolist()}) == 6


@pytest.mark.parametrize(("count", "grid"), [(4, (2, 2)), (5, (3, 2)), (1, (1, 1))])
def test_a_gallery_has_room_for_every_image(tmp_path, monkeypatch, count, grid):
    shapes = []
    import matplotlib.pyplot as plt

    subplots = plt.subplots

    def noting(rows, cols, **how):
        shapes.append((rows, cols))
        return subplots(rows, cols, **how)

    monkeypatch.setattr(plt, "subplots", noting)
    plot_image_gallery(np.ones((count, 4, 4, 1)), path=tmp_path / "a.png")
    assert shapes == [grid]
    assert np.asarray(load_img(tmp_path / "a.png")).size > 0
    assert not plt.get_fignums()


def test_images_are_shown_in_their_range_with_their_labels(tmp_path):
    images = np.stack([np.zeros((8, 8, 3)), np.ones((8, 8, 3))]).astype("float32")
    plot_image_gallery(
        images, y_true=[0, 1], y_pred=[1, 7], label_map={0: "dark", 1: "light"},
        value_range=(0, 1), cols=2, path=tmp_path / "a.png", transparent=False,
    )  # fmt: skip
    picture = np.asarray(load_img(tmp_path / "a.png", color_mode="grayscale"))
    middle, width = picture.shape[0] // 2, picture.shape[1]
    assert picture[middle, width // 4] == 0
    assert picture[middle, 3 * width // 4] == 255


def test_boxes_and_masks_in_galleries(tmp_path):
    images = np.zeros((2, 24, 32, 3))
    boxes = {key: np.concatenate([value, value]) for key, value in BOXES.items()}
    plot_bounding_box_gallery(
        images, "xyxy", y_true=boxes, y_pred=boxes, legend=True, class_mapping={1: "cat"},
        path=tmp_path / "boxes.png",
    )  # fmt: skip
    picture = np.asarray(load_img(tmp_path / "boxes.png"))
    assert ((picture[..., 0] > 200) & (picture[..., 2] < 120)).any()  # yellow
    plot_segmentation_mask_gallery(
        images, 1, y_true=np.ones((2, 24, 32), int), y_pred=np.zeros((2, 24, 32, 1)),
        path=tmp_path / "masks.png", color_mapping={1: (255, 0, 0)}, blend=False,
    )  # fmt: skip
    picture = np.asarray(load_img(tmp_path / "masks.png"))
    third = picture.shape[1] // 3
    red = (picture[..., 0] > 200) & (picture[..., 1] < 60)
    assert red[:, third : 2 * third].mean() > 0.5
    assert not red[:, :third].any()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: draw_bounding_boxes(x[0], BOXES, "xyxy"), ValueError, "must be a batch"),
        (lambda x: draw_bounding_boxes(x, [], "xyxy"), TypeError, "dictionary .* received list"),
        (lambda x: draw_bounding_boxes(x, {"boxes": 1}, "xyxy"), ValueError, "needs 'labels'"),
        (lambda x: draw_bounding_boxes(x, BOXES, "xyxy", color=(1,)), ValueError, "red, green"),
        (lambda x: draw_segmentation_masks(x, x[..., 0]), TypeError, "integers"),
        (
            lambda x: draw_segmentation_masks(x, np.ones((1, 3, 3), int)),
            ValueError, r"masks \(1, 3, 3\)",
        ),
        (
            lambda x: draw_segmentation_masks(x, np.ones((1, 2, 2), int), color_mapping={}),
            ValueError, "no colour for class 1",
        ),
        (lambda x: plot_image_gallery(x, y_true=[1]), ValueError, "need label_map"),
        (lambda x: plot_image_gallery(x, path="a", show=True), ValueError, "received both"),
        (lambda x: plot_image_gallery(x, value_range=(1, 1)), ValueError, "value_range must be"),
        (lambda x: plot_image_gallery(x[..., :2]), ValueError, "1, 3 or 4 channels; received 2"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(np.zeros((1, 2, 2, 3)))


def test_a_gallery_without_a_path_is_shown(monkeypatch):
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    plot_image_gallery(np.zeros((1, 2, 2, 3)))
    plot_image_gallery(np.zeros((1, 2, 2, 3)), show=False)
    assert shown == [1]
