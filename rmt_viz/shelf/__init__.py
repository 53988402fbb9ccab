"""The data that the app can show: traces, tables of results, bundled explanations, example texts."""
