"""What can be shown: traces, tables of results, bundled explanations, example texts."""
