"""Toy pipelines for tests of the local runner and of what kfp does silently wrong."""

from kfp import dsl


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def say(text: str) -> str:
    return text


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def fail(kind: str):
    import m2m.errors

    raise getattr(m2m.errors, kind)("the reason", "the next step")


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def die():
    raise SystemExit(9)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def note(value: str, item: int, folder: str):
    from pathlib import Path

    Path(folder, f"{item}.txt").write_text(value)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def environment(folder: str):
    import os
    from pathlib import Path

    names = ("M2M_STORE", "M2M_WORK", "MLFLOW_TRACKING_URI", "M2M_PIPELINE_RUN")
    Path(folder, "environment.txt").write_text("\n".join(f"{n}={os.environ.get(n, '')}" for n in names))


@dsl.pipeline(name="failing")
def failing(kind: str):
    fail(kind=kind)


@dsl.pipeline(name="dying")
def dying():
    die()


@dsl.pipeline(name="seeing")
def seeing(folder: str):
    environment(folder=folder)


@dsl.pipeline(name="outer-parameter")
def outer_parameter(folder: str):
    """A loop's body that takes another task's parameter: what this project never wires."""
    word = say(text="the word")
    with dsl.ParallelFor([1, 2]) as item:
        note(value=word.output, item=item, folder=folder)


@dsl.pipeline(name="inner-loop")
def inner_loop(value: str, folder: str):
    with dsl.ParallelFor([1, 2]) as item:
        note(value=value, item=item, folder=folder)


@dsl.pipeline(name="sub-pipeline")
def sub_pipeline(folder: str):
    """The way around it: the loop lies in a pipeline of its own that takes the value as an input."""
    word = say(text="the word")
    inner_loop(value=word.output, folder=folder)


@dsl.pipeline(name="pipeline-parameter")
def pipeline_parameter(value: str, folder: str):
    with dsl.ExitHandler(say(text="end")), dsl.ParallelFor([1, 2]) as item:
        note(value=value, item=item, folder=folder)
