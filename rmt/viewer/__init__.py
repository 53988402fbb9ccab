"""The stepping surface: slices of a run as bytes, sentences about segments, the HTML file, JavaScript in static/."""
