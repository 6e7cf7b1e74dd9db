"""Measurements that the README quotes; not installed."""
