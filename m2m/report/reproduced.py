"""The pages of reproduced tables and figures: HTML and Markdown, and a list of them."""

from collections.abc import Sequence
from pathlib import Path

from m2m import __version__
from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.report.experiment import Experiment, read_experiment
from m2m.report.experiment_text import experiment_text, index_text
from m2m.report.filling import entry, sheet
from m2m.report.learning import learning
from m2m.report.pages import LINK, render
from m2m.report.panels import gaps, panels, trade_off
from m2m.report.sentences import words
from m2m.report.sheet import Sheet
from m2m.report.tables import tabulate
from m2m.wording import shown as without_password

INDEX = "index"


def write_experiments(
    results: Sequence[Path], out: Path, *, tracker: str = "", allow_mixed: bool = False
) -> list[Path]:
    """Writes the pages of one or more experiments, and a list of them where there are several.

    Args:
        results: Files that `m2m reproduce` wrote.
        out: A folder; it is made.
        tracker: Address of MLflow's page, which runs are linked to; empty: runs are named.
        allow_mixed: Whether evaluations of one table may come from different versions of the code.

    Returns:
        The files; the list first, where there is one.

    Raises:
        InputError: A file is no result, two are of the same experiment, the versions of the code differ, or the
            tracker's address is none of the web.
        InfrastructureError: They cannot be written.
    """
    found = [read_experiment(path, allow_mixed=allow_mixed) for path in results]
    names = [one.name.lower() for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{', '.join(twice)} is there twice", "name one results.json an experiment")
    written = [path for one in found for path in _write_experiment(one, out, tracker)]
    return [*write_index(found, out), *written] if len(found) > 1 else written


def write_experiment(results: Path, out: Path, *, tracker: str = "", allow_mixed: bool = False) -> list[Path]:
    """Writes the page of one experiment, `<name>.html`, and the same as Markdown, whose figures lie beside it as SVG.

    Arguments as in `write_experiments`.

    Raises:
        InputError: As in `write_experiments`.
        InfrastructureError: They cannot be written.
    """
    return _write_experiment(read_experiment(results, allow_mixed=allow_mixed), out, tracker)


def write_index(experiments: Sequence[Experiment], out: Path) -> list[Path]:
    """Writes the list of experiments, `index.html`, and the same as Markdown.

    Raises:
        InfrastructureError: They cannot be written.
    """
    entries = [entry(_sheet(one)[0]) for one in experiments]
    return _write(out, INDEX, render("experiments.html", entries=entries, version=__version__), index_text(entries))


def _write_experiment(experiment: Experiment, out: Path, tracker: str) -> list[Path]:
    if tracker and not (tracker.startswith("http") and LINK.fullmatch(tracker)):
        raise InputError(f"{tracker!r} is no page of the web", "give http://HOST:PORT, or leave it out")
    shown, figures = _sheet(experiment, without_password(tracker))
    how = words(shown)
    text = render("experiment.html", sheet=shown, words=how, version=__version__, **figures)
    files = {kind: _pictures(out, f"{experiment.name}-{kind}", drawn) for kind, drawn in figures.items()}
    return _write(out, experiment.name, text, experiment_text(shown, how, __version__, files))


def _sheet(experiment: Experiment, tracker: str = "") -> tuple[Sheet, dict[str, list[tuple[str, str]]]]:
    """What an experiment's page says, and its figures by kind: a caption and an SVG each."""
    if experiment.kind == "curve":
        curves = learning(experiment)
        drawn = {"curves": panels(curves), "gaps": gaps(experiment, curves), "trade_off": []}
        return sheet(experiment, None, curves, tracker), drawn
    table = tabulate(experiment)
    drawn = {"curves": [], "gaps": [], "trade_off": trade_off(experiment, table)}
    return sheet(experiment, table, None, tracker), drawn


def _pictures(out: Path, name: str, drawn: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Writes figures; gives their captions and the names of their files."""
    files = [(caption, f"{name}-{number}.svg") for number, (caption, _) in enumerate(drawn, 1)]
    for (_, file), (_, picture) in zip(files, drawn, strict=True):
        write_atomic(out / file, picture.encode())
    return files


def _write(out: Path, name: str, page: str, text: str) -> list[Path]:
    files = [out / f"{name}.html", out / f"{name}.md"]
    for path, content in zip(files, (page, text), strict=True):
        write_atomic(path, content.encode("utf-8", "backslashreplace"))
    return files
