"""The studio: draws small labelled action data sets with known truth."""

from m2m.studio.actions import ACTIONS
from m2m.studio.clip import ClipSpec, StudioClip, draw_clip
from m2m.studio.dataset import StudioParams, draw_dataset

__all__ = ["ACTIONS", "ClipSpec", "StudioClip", "StudioParams", "draw_clip", "draw_dataset"]
