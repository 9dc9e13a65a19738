"""Purge of what is personal in the folder of a working data set."""

from pathlib import Path

from m2m import work
from m2m.clips import MANIFEST, data_hash, read_card, read_manifest
from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.purge.intermediates import KEY
from m2m.purge.proof import Folder, Left, Proof, Thing, delete, finished, prove

PERSONAL = ("plates", "people", "bodies", ".m2m", "report.html")
"""Files and folders that are personal; reports show previews."""


def purge_folder(dataset: Path, report: Path, *, yes: bool = False, key: bool = False) -> Proof:
    """Deletes what is personal in the folder of a working data set: intermediates, previews, reports, records.

    Args:
        dataset: A folder that `m2m augment` wrote. Its clips stay, with the names of their sources.
        report: File of the proof, JSON.
        yes: Really delete; without it the proof says what would be deleted.
        key: Delete the secret of released names too.

    Returns:
        The proof, as it was written.

    Raises:
        InputError: It is no such data set, shows people, or a run is working there.
        InfrastructureError: Something could not be deleted. The proof says what; run it again.
    """
    card, rows = read_card(dataset), read_manifest(dataset / MANIFEST)
    if not card.private:
        raise InputError(f"{dataset} is the variant {card.variant}, which shows people", "remove the whole folder")
    if data_hash(rows) != card.hash:
        raise InputError(f"manifest and card of {dataset} do not belong together", "run m2m augment again, to the end")
    secret = f".m2m/{KEY}"
    with work.locked(dataset):
        folder = Folder(dataset)
        stays = {".m2m/lock"} if key else {".m2m/lock", secret}
        personal = [name for name in folder.keys("") if name.split("/")[0] in PERSONAL and name not in stays]
        things = []
        for name in personal:
            kind = name.split("/")[1] if name.startswith(".m2m/") else name.split("/")[0]
            things.append(Thing(folder.uri, name, kind, file_sha256(dataset / name), folder.size(name)))
        remains = [Left(folder.uri, "*", "the finished clips; they and their manifest are named after their sources")]
        remains.append(Left("sources", "*", "the original videos were not touched: delete them where they are"))
        if folder.exists(secret) and not key:
            remains.append(Left(folder.uri, secret, "finds the source of a released clip; deleted only on request"))
        proof = Proof(card.hash, False, tuple(things), (), tuple(remains))
        if yes:
            proof = prove(proof, *delete(folder, things))
    return finished(proof, report)
