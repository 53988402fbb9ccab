"""The app's side of the web server: routes, response headers, and the view's state in the address."""
