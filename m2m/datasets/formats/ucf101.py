"""UCF101 (Soomro et al., 2012): classInd.txt, trainlist0N.txt (`Class/v_....avi 1`) and testlist0N.txt (no number)."""

from pathlib import Path

from m2m.datasets.listed import Listed, read_classes, read_lines
from m2m.errors import InputError


def read(annotations: Path, fold: int) -> list[Listed]:
    """The videos of one of the three official splits; what is tested on is `val`.

    Numbers of classes begin at 1. The class HandstandPushups has files named v_HandStandPushups_*.

    Args:
        annotations: The folder ucfTrainTestlist.
        fold: 1 to 3.

    Raises:
        InputError: A file cannot be read, or a line's folder is not the class of its number.
    """
    classes = read_classes(annotations / "classInd.txt")
    known, rows = set(classes.values()), []
    for kind, split in (("train", "train"), ("test", "val")):
        file = annotations / f"{kind}list{fold:02d}.txt"
        for line in read_lines(file):
            # Neither names nor classes have blanks; the test lists have no number.
            name, _, number = line.partition(" ")
            label = name.split("/")[0]
            if label not in known or (number and not (number.isdecimal() and classes.get(int(number)) == label)):
                raise InputError(f"{file}: {line!r} is not of a class of classInd.txt")
            rows.append(Listed(name, label, split))
    return rows
