"""The stages of `augment` as tasks of their own over one shard, with their intermediates in the work store.

Each depends on the fingerprints of those before it and on its own parameters alone: another value of one stage leaves
what came before as it is. A clip comes out the same, byte for byte, as from the chain in memory.
"""

from m2m.augment.stages.compose import augment_shard, compose_shard, rows_of
from m2m.augment.stages.detect import detect_shard
from m2m.augment.stages.inpaint import inpaint_shard
from m2m.augment.stages.recover import recover_shard
from m2m.augment.stages.shard import StageSummary

__all__ = [
    "StageSummary",
    "augment_shard",
    "compose_shard",
    "detect_shard",
    "inpaint_shard",
    "recover_shard",
    "rows_of",
]
