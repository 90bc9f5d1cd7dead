"""Adapters for other libraries; each needs its extra."""
