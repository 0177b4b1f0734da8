"""Positions of the boxes in the diagram of a model: ranks, each below what it depends on.

The usual steps for layered graphs (Sugiyama, Tagawa and Toda, 1981, "Methods for Visual
Understanding of Hierarchical System Structures"): ranks by the longest path, an order within each
rank that crosses few edges, then positions that keep edges straight. A group is laid out separately
and takes part as one large box. Lengths are points, y goes down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lamina.utils.model_diagram import Box, Group

RANK_GAP = 26.0  # between ranks, with one bundle of edges
NEIGHBOUR_GAP = 22.0  # between neighbours in a rank
BUNDLE_GAP = 9.0  # between bundles of edges that turn in the same gap
BORDER, TITLE = 14.0, 22.0  # around the contents of a group, and for its name

Size = tuple[float, float]
Point = tuple[float, float]


@dataclass
class Layout:
    """Positions of boxes and groups (left, top, width, height) and the corners of edges."""

    width: float = 0
    height: float = 0
    boxes: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    groups: list[tuple[str, tuple[float, float, float, float]]] = field(default_factory=list)
    edges: list[list[Point]] = field(default_factory=list)

    def insert(self, inner: "Layout", left: float, top: float) -> None:
        """Insert another layout at a position."""
        for key, (x, y, width, height) in inner.boxes.items():
            self.boxes[key] = (x + left, y + top, width, height)
        for title, (x, y, width, height) in inner.groups:
            self.groups.append((title, (x + left, y + top, width, height)))
        self.edges += [[(x + left, y + top) for x, y in corners] for corners in inner.edges]


def compute_layout(diagram: Group, sizes: Mapping[str, Size], rankdir: str = "TB") -> Layout:
    """Compute positions for everything in a diagram.

    The space for the names of groups is at the top for every direction.

    Args:
        diagram: The outermost group.
        sizes: Width and height of every box.
        rankdir: `"TB"`, `"BT"`, `"LR"` or `"RL"`: top to bottom and so on.
    """
    sideways = rankdir in ("LR", "RL")
    rotated_sizes = {key: size[::-1] if sideways else size for key, size in sizes.items()}
    margins = {"TB": (BORDER, BORDER + TITLE, BORDER, BORDER),
               "BT": (BORDER, BORDER, BORDER, BORDER + TITLE)}.get(
        rankdir, (BORDER + TITLE, BORDER, BORDER, BORDER)
    )  # fmt: skip
    layout = _arrange_group(diagram, diagram.edges, rotated_sizes, margins)
    if rankdir in ("BT", "RL"):
        layout = _flip(layout)
    return _transpose(layout) if sideways else layout


def _arrange_group(
    group: Group,
    edges: list[tuple[str, str]],
    sizes: Mapping[str, Size],
    margins: tuple[float, float, float, float],
) -> Layout:
    inner = {
        key: _add_margins(_arrange_group(part, edges, sizes, margins), part.title, margins)
        for key, part in group.parts.items()
        if isinstance(part, Group)
    }
    extent = {
        key: (inner[key].width, inner[key].height) if key in inner else sizes[key]
        for key in group.parts
    }
    part_of_box = {box: key for key, part in group.parts.items() for box in _boxes_in(key, part)}
    edges_here = [(a, b) for a, b in edges if part_of_box.get(a) != part_of_box.get(b)]
    edges_here = [(a, b) for a, b in edges_here if a in part_of_box and b in part_of_box]
    part_edges = {(part_of_box[a], part_of_box[b]): None for a, b in edges_here}
    grid = _Grid(list(group.parts), part_edges, extent)

    layout = Layout(grid.width, grid.height)
    for key, (left, top) in grid.corners.items():
        if key in inner:
            layout.insert(inner[key], left, top)
        else:
            layout.boxes[key] = (left, top, *extent[key])
    layout.edges += [grid.route(layout, part_of_box, a, b) for a, b in edges_here]
    return layout


def _boxes_in(key: str, part: Box | Group) -> list[str]:
    return [key] if isinstance(part, Box) else [inner for inner, _ in part.boxes()]


def _add_margins(layout: Layout, title: str, margins: tuple[float, float, float, float]) -> Layout:
    """The layout of a group with margins around its contents: left, top, right and bottom."""
    left, top, right, bottom = margins
    with_margins = Layout(layout.width + left + right, layout.height + top + bottom)
    with_margins.groups.append((title, (0, 0, with_margins.width, with_margins.height)))
    with_margins.insert(layout, left, top)
    return with_margins


class _Grid:
    """Positions of the parts of one group, in ranks.

    An edge that passes through a rank has a bend there, which is placed like a part of width 0.
    """

    def __init__(
        self, keys: list[str], edges: Mapping[tuple[str, str], None], extent: Mapping[str, Size]
    ):
        self.keys = keys
        self.extent = dict(extent)
        # An edge back to an earlier part (a layer called twice) does not determine ranks.
        rank = {key: number for number, key in enumerate(keys)}
        self.forward = [(a, b) for a, b in edges if rank[a] < rank[b]]
        self.rank = self._ranks()
        self.chains = {edge: self._chain(edge) for edge in self.forward}
        self.rows = self._ordered_rows()
        self.x = self._centres()
        self.tracks = self._tracks()
        self._place_rows()

    def route(
        self, layout: Layout, part_of_box: Mapping[str, str], source: str, target: str
    ) -> list[Point]:
        """The corners of an edge between two boxes, which may lie inside groups."""
        left, top, width, height = layout.boxes[source]
        start = (left + width / 2, top + height)
        left, top, width, _ = layout.boxes[target]
        end = (left + width / 2, top)
        chain = self.chains.get((part_of_box[source], part_of_box[target]))
        if chain is None:  # an edge back to an earlier part is drawn to the right of everything
            right = self.width + NEIGHBOUR_GAP / 2
            below, above = start[1] + RANK_GAP / 3, end[1] - RANK_GAP / 3
            return [start, (start[0], below), (right, below), (right, above), (end[0], above), end]
        corners, x = [start], start[0]
        for box, next_box in zip(chain, chain[1:], strict=False):
            y = self.turn_height(box, chain[0])
            to = end[0] if next_box == chain[-1] else self.x[next_box]
            corners += [(x, y), (to, y)]
            x = to
        return [*corners, end]

    def turn_height(self, box: str, source: str) -> float:
        """The y at which the edges of a source turn sideways, below the rank of `box`."""
        rank = self.rank[box]
        tracks = self.tracks[rank]
        gap = self.gaps[rank]
        return self.bottoms[rank] + gap * (tracks.index(source) + 1) / (len(tracks) + 1)

    def _ranks(self) -> dict[str, int]:
        rank = dict.fromkeys(self.keys, 0)
        sources: dict[str, list[str]] = {key: [] for key in self.keys}
        for a, b in self.forward:
            sources[b].append(a)
        for key in self.keys:
            rank[key] = max((rank[source] + 1 for source in sources[key]), default=0)
        # An input is drawn just above the first part that uses it.
        for key in reversed(self.keys):
            targets = [b for a, b in self.forward if a == key]
            if targets and not sources[key]:
                rank[key] = min(rank[target] for target in targets) - 1
        return rank

    def _chain(self, edge: tuple[str, str]) -> list[str]:
        """The parts and bends that an edge goes through, one in each rank."""
        a, b = edge
        bends = [f"{a}>{b}@{rank}" for rank in range(self.rank[a] + 1, self.rank[b])]
        for bend in bends:
            self.rank[bend] = int(bend.rpartition("@")[2])
            self.extent[bend] = (0.0, 0.0)
        return [a, *bends, b]

    def _neighbours(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        above: dict[str, list[str]] = {key: [] for key in self.rank}
        below: dict[str, list[str]] = {key: [] for key in self.rank}
        for chain in self.chains.values():
            for a, b in zip(chain, chain[1:], strict=False):
                above[b].append(a)
                below[a].append(b)
        return above, below

    def _ordered_rows(self) -> list[list[str]]:
        rows: list[list[str]] = [[] for _ in range(max(self.rank.values(), default=0) + 1)]
        for key, rank in self.rank.items():
            rows[rank].append(key)
        above, below = self._neighbours()
        for sweep in range(8):
            neighbours = (above, below)[sweep % 2]
            for row in rows if sweep % 2 == 0 else reversed(rows):
                position = {key: n / max(1, len(r) - 1) for r in rows for n, key in enumerate(r)}
                row.sort(
                    key=lambda key: np.mean(
                        [position[n] for n in neighbours[key]] or [position[key]]
                    )
                )
        return rows

    def _centres(self) -> dict[str, float]:
        """x of every part and bend: near the mean of its neighbours, without overlaps."""
        x: dict[str, float] = {}
        for row in self.rows:
            offsets = self._offsets(row)
            x.update(zip(row, offsets - offsets.mean(), strict=True))
        above, below = self._neighbours()
        for sweep in range(12):
            neighbours = (above, below)[sweep % 2]
            for row in self.rows if sweep % 2 == 0 else reversed(self.rows):
                ideal = [np.mean([x[n] for n in neighbours[key]] or [x[key]]) for key in row]
                x.update(zip(row, _without_overlaps(ideal, self._offsets(row)), strict=True))
        left = min((x[key] - self.extent[key][0] / 2 for key in x), default=0)
        return {key: centre - left for key, centre in x.items()}

    def _offsets(self, row: list[str]) -> np.ndarray:
        """The centres of the parts of a rank, packed densely, relative to the first."""
        half = np.array([self.extent[key][0] / 2 for key in row])
        return np.concatenate([[0.0], np.cumsum(half[:-1] + half[1:] + NEIGHBOUR_GAP)])

    def _tracks(self) -> list[list[str]]:
        """The sources whose edges turn below each rank, from right to left."""
        tracks: list[dict[str, float]] = [{} for _ in self.rows]
        for chain in self.chains.values():
            for key in chain[:-1]:
                tracks[self.rank[key]].setdefault(chain[0], self.x[key])
        return [sorted(sources, key=lambda s: -sources[s]) for sources in tracks]

    def _place_rows(self) -> None:
        self.width = max((self.x[k] + self.extent[k][0] / 2 for k in self.x), default=0)
        self.gaps = [RANK_GAP + BUNDLE_GAP * max(0, len(tracks) - 1) for tracks in self.tracks]
        self.corners: dict[str, Point] = {}
        self.bottoms: list[float] = []
        top = 0.0
        for row, gap in zip(self.rows, self.gaps, strict=True):
            tallest = max((self.extent[key][1] for key in row), default=0)
            for key in row:
                width, height = self.extent[key]
                if key in self.keys:
                    self.corners[key] = (self.x[key] - width / 2, top + (tallest - height) / 2)
            self.bottoms.append(top + tallest)
            top += tallest + gap
        self.height = self.bottoms[-1] if self.bottoms else 0.0


def _without_overlaps(ideal: list, offsets: np.ndarray) -> np.ndarray:
    """The positions nearest to the ideal ones (least squares) that keep the minimum distances."""
    from scipy.optimize import isotonic_regression  # type: ignore[import-untyped]

    return isotonic_regression(np.asarray(ideal) - offsets).x + offsets


def _flip(layout: Layout) -> Layout:
    flipped = Layout(layout.width, layout.height)
    flipped.boxes = {
        key: (x, layout.height - y - height, width, height)
        for key, (x, y, width, height) in layout.boxes.items()
    }
    flipped.groups = [
        (title, (x, layout.height - y - height, width, height))
        for title, (x, y, width, height) in layout.groups
    ]
    flipped.edges = [[(x, layout.height - y) for x, y in corners] for corners in layout.edges]
    return flipped


def _transpose(layout: Layout) -> Layout:
    transposed = Layout(layout.height, layout.width)
    transposed.boxes = {
        key: (y, x, height, width) for key, (x, y, width, height) in layout.boxes.items()
    }
    transposed.groups = [
        (title, (y, x, height, width)) for title, (x, y, width, height) in layout.groups
    ]
    transposed.edges = [[(y, x) for x, y in corners] for corners in layout.edges]
    return transposed
