"""What stands for a clip among the figures: its id may name its source, and figures travel."""

import hashlib


def clip_mark(clip_id: str) -> str:
    """16 hexadecimal digits of the id's SHA-256."""
    return hashlib.sha256(clip_id.encode()).hexdigest()[:16]
