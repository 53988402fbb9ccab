"""Parts drawn in the browser: plain JavaScript and CSS, without a build step."""
