"""Licences of what makes a data set, and a use that they forbid."""

import pytest

from m2m.augment.detect.params import DetectParams
from m2m.augment.inpaint.params import BACKENDS
from m2m.augment.licences import TABLE, licence_texts, licences
from m2m.errors import InputError
from m2m.params import load


def of(**sections):
    return load("augment", overrides=sections)


def test_the_default_may_be_used_for_anything():
    params = of(use="commercial")
    assert {one.backend for one in licences(params)} == {"detect/embedded", "body/mannequin", "verify"}
    assert not params.from_others


@pytest.mark.parametrize(
    ("section", "value", "licence"),
    [
        ("inpaint", {"backend": "e2fgvi-hq"}, "CC-BY-NC-4.0"),
        ("inpaint", {"backend": "e2fgvi"}, "CC-BY-NC-4.0"),
        ("recover", {"backend": "osx"}, "GPL-3.0"),
        ("body", {"model": "smplx"}, "MPI"),
    ],
)
def test_a_licence_that_forbids_the_use_stops_with_its_name(section, value, licence):
    assert any(licence in one.text for one in licences(of(**{section: value})))
    with pytest.raises(InputError, match=f"commercial use is forbidden.*{licence}"):
        of(**{section: value, "use": "commercial"})


@pytest.mark.parametrize("backend", ["torchvision", "detectron2"])
def test_mask_rcnn_may_be_used_for_anything(backend):
    params = of(detect={"backend": backend}, use="commercial")
    assert [one.backend for one in licences(params)][:2] == [f"detect/{backend}", "detect/witnesses"]
    alone = of(detect={"backend": backend, "witnesses": False})
    assert "detect/witnesses" not in [one.backend for one in licences(alone)]
    assert params.from_others == (f"detect/{backend}",)
    assert "Mask R-CNN of detectron2's model zoo, 138205316 (Apache-2.0)" in licence_texts(alone)


def test_other_weights_have_another_licence():
    params = of(detect={"backend": "torchvision", "mask_rcnn": {"model": "maskrcnn_resnet50_fpn_v2_coco"}})
    assert "Mask R-CNN of torchvision (BSD-3-Clause)" in licence_texts(params)


def test_every_backend_with_a_model_of_others_is_in_the_table():
    assert {"detect/embedded", "detect/torchvision", "detect/detectron2"} <= set(TABLE)
    assert {f"inpaint/{name}" for name in BACKENDS if name not in ("temporal", "navier-stokes")} <= set(TABLE)
    assert DetectParams().backend == "embedded"


def test_what_a_use_can_be():
    with pytest.raises(InputError, match="use"):
        of(use="any")
