from m2m.augment.detect import DetectParams, MaskRCNNParams
from m2m.params import to_dict
from m2m.report.augment import detector


def said(**params):
    return " ".join(detector(to_dict(DetectParams(**params))))


def test_what_was_measured_of_the_embedded_models_is_said_of_no_other():
    assert "demonstration" in said() and "labelled real clips" in said()
    assert detector({}) == detector(to_dict(DetectParams()))
    theirs = said(backend="torchvision")
    assert "mask_rcnn_R_101_FPN_3x (torchvision), with the embedded models beside it" in theirs
    assert "nothing was measured" in theirs and "demonstration" not in theirs and "labelled" not in theirs
    assert "SSDLite in it took no part" in theirs


def test_masks_of_random_weights_mean_nothing_and_the_report_says_so():
    random = said(backend="detectron2", witnesses=False, mask_rcnn=MaskRCNNParams(weights="random"))
    assert "(detectron2), alone; its weights were random: the masks mean nothing" in random
