"""Looks at a source: its content's hash is what the later tasks are cached by."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def snapshot(source: str) -> str:
    """Hashes a source.

    Args:
        source: A folder, a manifest, or `s3://bucket/prefix`.

    Returns:
        The hash of its content, equal on any machine.
    """
    from m2m.datasets.snapshot import snapshot as take

    found = take(source)
    print(f"{found.clips} clips, {found.bytes} bytes: {found.hash}")
    return found.hash
