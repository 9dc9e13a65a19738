"""Mask2Mesh: human video that shows the motion and not the person."""

__version__ = "0.1.0"
