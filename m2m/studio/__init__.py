"""The studio: draws small labelled action data sets with known truth."""

from m2m.studio.actions import ACTIONS
from m2m.studio.clip import ClipSpec, StudioClip, draw_clip
from m2m.studio.dataset import draw_dataset
from m2m.studio.recipe import StudioParams

__all__ = ["ACTIONS", "ClipSpec", "StudioClip", "StudioParams", "draw_clip", "draw_dataset"]
