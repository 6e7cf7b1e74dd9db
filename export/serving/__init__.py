"""Serving with TensorFlow Serving's protocol: its configs, a client, a server to embed and its page."""
