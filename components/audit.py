"""Looks at the finished clips of one shard with other eyes."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("detect"), install_kfp_package=False)
def audit(
    manifest: Input[Dataset],
    composed: Input[Artifact],
    shard: int,
    params: dict,
    workers: int,
    audited: Output[Dataset],
    made_with: dict,
    plates: Input[Artifact] = None,
    people: Input[Artifact] = None,
    bodies: Input[Artifact] = None,
):
    """Writes a row of checks for every clip. A failed check is a result, not a failed task.

    Args:
        manifest: The curated manifest.
        composed: What was made of this shard.
        shard: Which shard.
        params: The `audit` section.
        workers: Processes.
        audited: The records of `composed` with the audit's rows.
        made_with: The `augment` section.
        plates: What `inpaint` made of this shard, where that is a task of its own.
        people: What `detect` found in it, likewise.
        bodies: What `recover` made of it, likewise.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.audit import audit_shard
    from m2m.params import section

    source, made, out = opened(manifest, "dataset"), opened(composed, "composed"), Path(audited.path)
    apart = {"plates": plates, "people": people, "bodies": bodies}
    kept = {word: opened(artifact, word) for word, artifact in apart.items() if artifact}
    more = {"made_with": section("augment", made_with), "workers": workers, **kept}
    done = audit_shard(source, made, shard, out, section("audit", params), **more)
    stamp(audited, "audited", done, shard=shard)
