"""What leaves the app: figures with their numbers, and a run as one file."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from rmt_viz import export


def shown(script) -> tuple:
    """The chart and what stands under it, as Streamlit sends them."""
    at = AppTest.from_function(script).run()
    assert not at.exception, at.exception
    return at.get("plotly_chart")[0].proto, json.loads(at.get("bidi_component")[0].proto.json)


def test_a_figure_brings_its_numbers():
    def page():
        import numpy as np
        import plotly.graph_objects as go

        from rmt_viz import export

        table = {"segment": range(1, 4), "change": np.array([1 / 3, np.nan, 2], np.float32), "token": ["<b>", "a", ""]}
        export.show(go.Figure(), name="drift", alt="Memory moves.", table=table, caption="Look at *this*.")

    chart, under = shown(page)
    assert chart.alt == "Memory moves."
    assert under["name"] == "drift" and under["figure"] and under["caption"] == "Look at *this*."
    assert under["columns"] == ["segment", "change", "token"]
    assert under["values"] == [[1, 2, 3], [0.333333, None, 2.0], ["<b>", "a", ""]]


def test_columns_of_one_table_are_of_one_length():
    with pytest.raises(ValueError, match="differ in length"):
        export.show(go.Figure(), name="x", alt="x", table={"a": [1], "b": np.arange(2)})
