"""A Matplotlib backend whose `plt.show()` saves figures, prints their paths and closes them.

It neither blocks nor warns. Only Matplotlib imports this module, by the name `figures.BACKEND`.
"""

import sys
from typing import Any

from matplotlib._pylab_helpers import Gcf  # noqa: TID253 - Matplotlib is loaded already
from matplotlib.backend_bases import FigureManagerBase  # noqa: TID253
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: TID253

from lamina.compat import figures
from lamina.core import processes


class FigureManager(FigureManagerBase):
    """Saves a figure where others would show it."""

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        for manager in Gcf.get_all_fig_managers():
            manager.show()
            # With block=False a script continues to draw on the same figure.
            if block is not False:
                Gcf.destroy(manager)

    def show(self) -> None:
        if not processes.is_first():
            return
        figure: Any = self.canvas.figure
        path = getattr(figure, "_lamina_path", None)
        if path is None:
            path = figure._lamina_path = figures.next_path()
            print(f"Figure saved as {path}", file=sys.stderr, flush=True)
        figure.savefig(path, dpi=max(figure.dpi, 144))


class FigureCanvas(FigureCanvasAgg):
    """Agg's canvas with a manager that saves."""

    manager_class: Any = FigureManager
