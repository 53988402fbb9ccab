"""Names in a figure, beside what they name and in place of a legend: of lines, of points, and of rows by family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go

from rmt_viz.figures.canvas import LETTER, MUTED, escape

SIZE = 12.5  # of a label's font, in pixels
LINE = 17  # pixels of a line of a label
ROW = 21  # pixels of a row that has its name on the y axis
LONGEST = 12  # letters after which a label breaks
PHONE = 250  # pixels that a figure has between its axes on a phone
POINT = 14  # pixels of a point and the room around it


@dataclass(frozen=True)
class End:
    """The end of a line, with the name and colour of its label; bold where the line stands out."""

    x: float
    y: float
    name: str
    colour: str
    bold: bool = False


def label_ends(figure: go.Figure, ends: Sequence[End], *, log: bool = False) -> None:
    """Write the name of each line at its end; lines that end together share a column of names.

    The figure's range of y and its height have to be set. log: whether its x axis is logarithmic.
    """
    low, high = figure.layout.yaxis.range
    inside = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    line = LINE * (high - low) / inside  # in units of y
    parts = {end: wrap(end.name, LONGEST, break_long_words=False, break_on_hyphens=False) for end in ends}
    for x in {end.x for end in ends}:
        column = sorted((end for end in ends if end.x == x), key=lambda end: -end.y)
        places = spread([end.y for end in column], [line * len(parts[end]) for end in column], low)
        for end, y in zip(column, places, strict=True):
            text = "<br>".join(map(escape, parts[end]))
            figure.add_annotation(
                text=f"<b>{text}</b>" if end.bold else text, x=np.log10(x) if log else x, y=y, xanchor="left",
                yanchor="middle", xshift=7, align="left", showarrow=False, font={"size": SIZE, "color": end.colour},
            )  # fmt: skip
    longest = max((len(part) + end.bold for end in ends for part in parts[end]), default=0)
    figure.update_layout(margin_r=round(14 + LETTER * longest), showlegend=False)
    drawn = [x for trace in figure.data for x in trace.x] or [1, 2]  # else the axis would make room for the names, too
    ends_of_axis = (np.log10(end) if log else end for end in (min(drawn), max(drawn)))
    figure.update_xaxes(range=list(ends_of_axis))


def spread(middles: Sequence[float], heights: Sequence[float], low: float) -> list[float]:
    """Middles of labels, highest first, moved apart where they would overlap and up where they would end below low."""
    places, top = [], np.inf
    for middle, height in zip(middles, heights, strict=True):
        places.append(min(middle, top - height / 2))
        top = places[-1] - height / 2
    floor = low
    for i in reversed(range(len(places))):
        places[i] = max(places[i], floor + heights[i] / 2)
        floor = places[i] + heights[i] / 2
    return places


def label_places(
    points: Mapping[str, tuple[float, float]], x: tuple[float, float], y: tuple[float, float], height: int
) -> dict[str, str]:  # fmt: skip
    """The side of each point on which its name stands, as Plotly's textposition; chosen for the width of a phone.

    points: name -> (x, y). x, y: ranges of the axes. height: of the drawn area, in pixels.
    """
    places, taken = {}, []  # taken: (left, right, middle) in pixels
    for name, (at_x, at_y) in sorted(points.items(), key=lambda item: item[1]):  # from the left, where names begin
        left, middle = PHONE * (at_x - x[0]) / (x[1] - x[0]), height * (y[1] - at_y) / (y[1] - y[0])
        wide = LETTER * len(name)
        sides = {
            "middle right": (left + POINT, left + POINT + wide, middle),
            "middle left": (left - POINT - wide, left - POINT, middle),
            "top center": (left - wide / 2, left + wide / 2, middle - POINT),
            "bottom center": (left - wide / 2, left + wide / 2, middle + POINT),
            "top right": (left, left + wide, middle - POINT),
            "bottom right": (left, left + wide, middle + POINT),
            "top left": (left - wide, left, middle - POINT),
            "bottom left": (left - wide, left, middle + POINT),
        }
        places[name] = next((side for side, box in sides.items() if _free(box, taken)), "middle right")
        taken += [sides[places[name]], (left - POINT / 2, left + POINT / 2, middle)]
    return places


def _free(box: tuple, taken: Sequence[tuple]) -> bool:
    left, right, middle = box
    apart = (right < one[0] or one[1] < left or abs(middle - one[2]) >= SIZE for one in taken)
    return left >= -POINT and right <= PHONE and all(apart)


def name_rows(figure: go.Figure, rows: Sequence[tuple[str, str, bool]], theme: str) -> list[int]:
    """Name rows down the y axis, each family's under the family's own name: the y of each row.

    rows: (family, name, whether it stands out), the rows of a family together.
    """
    places, names = [], []
    for i, (family, name, stands_out) in enumerate(rows):
        if not i or rows[i - 1][0] != family:
            names.append(f"<i><span style='color:{MUTED[theme]}'>{escape(family)}</span></i>")
        places.append(len(names))
        names.append(f"<b>{escape(name)}</b>" if stands_out else escape(name))
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6], ticks="",
                        showgrid=False, zeroline=False, automargin=True, tickfont={"size": SIZE})  # fmt: skip
    return places
