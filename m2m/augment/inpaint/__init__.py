"""Backends of the inpaint stage behind one interface."""
