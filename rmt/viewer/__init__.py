"""The stepping surface: plain JavaScript without a build step, and slices of a run as bytes for it. No app in it."""
