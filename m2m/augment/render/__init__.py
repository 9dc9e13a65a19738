"""Backends of the render stage behind one interface."""
