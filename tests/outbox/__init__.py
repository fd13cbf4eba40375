"""Delivery that survives."""
