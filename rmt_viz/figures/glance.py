"""Figure of Mechanisms: what each trained mechanism gives back in three experiments, at a glance."""

from collections.abc import Mapping, Sequence
from itertools import product

import plotly.graph_objects as go

from rmt_viz.figures.canvas import canvas, escape, readable
from rmt_viz.figures.labels import ROW, name_rows
from rmt_viz.figures.mechanisms import TITLE
from rmt_viz.figures.theme import PAGE
from rmt_viz.findings.glance import Row
from rmt_viz.findings.recall import name

HEAD = 38  # pixels of the columns' heads


def glance(
    rows: Sequence[Row], heads: Mapping[str, str], shown: Sequence[str], finding: str, *, theme: str = "light"
) -> go.Figure:  # fmt: skip
    """A cell for each mechanism and experiment, the stronger the more is given back; families with their names.

    heads: experiment -> what its column is called. shown: the kinds whose names stand out.
    """
    n_families = len({row.family for row in rows})
    height = 110 + HEAD + ROW * (len(rows) + n_families)
    figure = canvas(finding, theme=theme, x="", y="", width=TITLE, height=height)
    places = name_rows(figure, [(row.family, name(row.kind), row.kind in shown) for row in rows], theme)
    columns = {of: i for i, of in enumerate(heads)}
    # Places without a cell are there, too, and empty: else the cells beside them would be drawn larger.
    empty = dict.fromkeys(product(range(len(figure.layout.yaxis.tickvals)), columns.values()), (None, "", "", ""))
    cells = empty | {
        (place, columns[of]): (cell.strength, cell.text, escape(name(row.kind)), cell.hint)
        for row, place in zip(rows, places, strict=True)
        for of, cell in row.cells.items()
    }
    figure.add_trace(
        go.Heatmap(
            x=[x for _, x in cells], y=[y for y, _ in cells], zmin=0, zmax=1, xgap=3, ygap=2, showscale=False,
            z=[strength for strength, *_ in cells.values()], text=[text for _, text, *_ in cells.values()],
            texttemplate="%{text}", customdata=[hints for _, _, *hints in cells.values()],
            textfont={"size": 12, "color": PAGE[theme][1]}, hoverongaps=False, colorscale=readable("read", theme),
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(tickvals=list(columns.values()), side="top", showgrid=False, ticks="", tickangle=0,
                        ticktext=["<br>".join(map(escape, head.rsplit(" ", 1))) for head in heads.values()],
                        tickfont={"size": 12, "color": PAGE[theme][1]})  # fmt: skip
    return figure.update_layout(margin_t=figure.layout.margin.t + HEAD, margin_b=12, margin_l=8)
