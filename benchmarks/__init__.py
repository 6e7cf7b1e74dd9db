"""Measurements that docs/ quotes; not installed."""
