"""Serving with TensorFlow Serving's protocol: config files, a client, an embedded server and its web page."""
