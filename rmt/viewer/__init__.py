"""The stepping surface: slices of a run as bytes, sentences, one HTML file, and the JavaScript in static/."""
