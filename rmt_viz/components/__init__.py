"""Components that JavaScript draws on a Streamlit page; what needs no Streamlit is in rmt/viewer."""

from pathlib import Path

HERE = Path(__file__).parent
