"""Backends of the recover stage behind one interface."""
