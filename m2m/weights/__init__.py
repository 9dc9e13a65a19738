"""Model files that M2M does not ship: which there are, where they lie, what their licences permit."""

from m2m.weights.registry import REGISTRY, Weight, find_weight, folder

__all__ = ["REGISTRY", "Weight", "find_weight", "folder"]
