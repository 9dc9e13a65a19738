"""Purge: deletes the personal data behind a data set once that is finished, and proves it.

Personal are the originals, whatever shows or measures their people (people, plates, bodies, previews, records,
embeddings), and data sets that show people on purpose. The finished clips show none and stay. The order is such that a
purge that was cut off can be repeated: what tells where things are goes last.
"""

from m2m.purge.folder import purge_folder
from m2m.purge.proof import Proof
from m2m.purge.published import purge_published

__all__ = ["Proof", "purge_folder", "purge_published"]
