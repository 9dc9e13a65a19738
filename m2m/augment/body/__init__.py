"""Backends of the body stage behind one interface."""
