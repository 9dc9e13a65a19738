"""Backends of the detect stage behind one interface."""
