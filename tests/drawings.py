"""Digits as people send them: drawn with strokes, in eleven styles of paper, pen and camera."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Points in hundredths, x to the right and y down; a bar begins a new stroke.
_POINTS = {
    0: "52,6 30,14 18,40 20,70 38,94 62,92 80,66 80,34 68,12 50,6",
    1: "36,26 54,6 50,94",
    2: "20,26 32,10 56,6 76,20 74,40 50,64 18,92 50,90 82,92",
    3: "22,14 46,5 72,14 72,34 44,46 74,56 80,78 56,94 20,88",
    4: "36,6 18,54 82,50|68,20 62,96",
    5: "76,8 30,10 26,44 54,40 76,56 74,80 50,94 20,86",
    6: "66,6 40,24 22,60 30,88 56,94 76,76 64,56 40,58 24,72",
    7: "18,12 50,12 82,8 60,46 44,94",
    8: "70,16 48,5 28,20 44,44 70,64 68,88 44,94 26,80 34,58 64,38 72,18",
    9: "74,28 52,10 28,24 36,48 62,46 76,24 72,60 60,94",
}
STROKES = {
    digit: [
        [tuple(int(n) / 100 for n in point.split(",")) for point in stroke.split()]
        for stroke in points.split("|")
    ]
    for digit, points in _POINTS.items()
}


def pen(digit: int, size: int, width: float) -> Image.Image:
    """A digit's strokes, white on black, `size` pixels high and wide."""
    fine = 4
    image = Image.new("L", (size * fine, size * fine))
    draw = ImageDraw.Draw(image)
    thick = width * fine
    for stroke in STROKES[digit]:
        points = [(x * size * fine, y * size * fine) for x, y in _rounded(stroke)]
        for (x, y), (to_x, to_y) in zip(points, points[1:], strict=False):
            draw.line([(x, y), (to_x, to_y)], fill=255, width=round(thick))
            draw.ellipse([x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2], fill=255)
        x, y = points[-1]
        draw.ellipse([x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2], fill=255)
    return image.resize((size, size), Image.Resampling.BOX)


def _rounded(points: list, times: int = 2) -> list:
    """Corners cut (Chaikin, 1974), as a hand does."""
    for _ in range(times):
        cut = [points[0]]
        for (x, y), (u, v) in zip(points, points[1:], strict=False):
            cut += [(0.75 * x + 0.25 * u, 0.75 * y + 0.25 * v),
                    (0.25 * x + 0.75 * u, 0.25 * y + 0.75 * v)]  # fmt: skip
        points = [*cut, points[-1]]
    return points


def _page(
    digit: int,
    page: tuple[int, int],
    size: int,
    at: tuple[int, int],
    width: float,
    ink: tuple[int, ...],
    ground: tuple[int, ...],
) -> Image.Image:
    image = Image.new("RGB", page, ground)
    image.paste(Image.new("RGB", (size, size), ink), at, pen(digit, size, width))
    return image


def _photographed(image: Image.Image, slope: tuple[float, float], noise: float) -> Image.Image:
    """Under a lamp at one side, with a camera's blur and noise."""
    rng = np.random.default_rng(5)
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(1.5)), dtype=float)
    height, width, _ = pixels.shape
    y, x = np.mgrid[0:height, 0:width] / (height, width)[0]
    light = 1 - slope[0] * x - slope[1] * y
    pixels = pixels * light[..., None] + rng.normal(0, noise, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def _see_through(digit: int, ink: int) -> Image.Image:
    strokes = pen(digit, 200, 18)
    image = Image.new("RGBA", (240, 240), (0, 0, 0, 0))
    image.paste(Image.new("RGBA", (200, 200), (ink, ink, ink, 255)), (20, 20), strokes)
    return image


BLACK, WHITE = (0, 0, 0), (255, 255, 255)
STYLES: dict[str, Callable[[int], Image.Image]] = {
    "black on white": lambda d: _page(d, (280, 280), 200, (40, 40), 20, BLACK, WHITE),
    "white on black": lambda d: _page(d, (280, 280), 250, (15, 15), 20, WHITE, BLACK),
    "a thin pen": lambda d: _page(d, (300, 300), 220, (40, 40), 6, (40, 40, 60), (250, 250, 245)),
    "red on white": lambda d: _page(d, (256, 256), 180, (38, 38), 18, (220, 30, 40), WHITE),
    "chalk on a board": lambda d: _page(
        d, (320, 240), 180, (70, 30), 12, (235, 235, 220), (30, 80, 60)
    ),
    "yellow on blue": lambda d: _page(
        d, (256, 256), 190, (33, 33), 20, (250, 220, 60), (70, 90, 200)
    ),
    "off-centre": lambda d: _page(d, (400, 400), 120, (20, 250), 12, BLACK, WHITE),
    "large, wide": lambda d: _page(
        d, (1600, 1000), 700, (700, 150), 60, (20, 20, 20), (240, 240, 240)
    ),
    "photographed": lambda d: _photographed(
        _page(d, (480, 360), 200, (120, 80), 14, (45, 45, 60), (225, 220, 205)), (0.35, 0.25), 5
    ),
    "photographed in bad light": lambda d: _photographed(
        _page(d, (480, 360), 180, (200, 60), 12, (60, 60, 110), (205, 205, 200)), (0.6, -0.2), 8
    ),
    "transparent": lambda d: _see_through(d, 0),
}


def write_all(folder: Path, digits: tuple[int, ...]) -> Iterator[tuple[str, int, Path]]:
    """Every digit in every style as a file: its style, what it is, where it lies."""
    for number, (style, draw) in enumerate(STYLES.items()):
        for digit in digits:
            kind = "jpg" if "photo" in style else "png"
            path = folder / f"{number:02}-{digit}.{kind}"
            draw(digit).save(path)
            yield style, digit, path
