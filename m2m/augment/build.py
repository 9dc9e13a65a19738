"""Backends by name: from parameters to a chain."""

import numpy as np

from m2m.augment.body import make_body
from m2m.augment.chain import Chain, Models
from m2m.augment.detect import make_detector
from m2m.augment.detect.faces import CenterFace, MediapipeFaces
from m2m.augment.detect.selfie import SelfieSegmenter
from m2m.augment.detect.ssdlite import SSDLite
from m2m.augment.inpaint import make_inpainter
from m2m.augment.recover import make_recoverer
from m2m.augment.render import make_renderer
from m2m.augment.steps import ChainParams, Painter
from m2m.augment.verify import Verifier
from m2m.params import AugmentParams


def make_chain(params: AugmentParams) -> Chain:
    """Loads every model once.

    Args:
        params: Which backends, and how they work.

    Raises:
        InfrastructureError: A model's package or file is missing.
        InputError: A backend is unknown.
    """
    body = make_body(params.body)
    models = Models(
        detector=make_detector(params.detect),
        inpainter=make_inpainter(params.inpaint),
        recoverer=make_recoverer(params.recover, body),
        body=body,
        renderer=make_renderer(params.render),
        verifier=make_verifier(params),
    )
    return Chain(models, chain_params(params))


def make_painter(params: AugmentParams) -> Painter:
    """Loads what paints people out and verifies it; raises as `make_chain`."""
    return Painter(make_inpainter(params.inpaint), make_verifier(params), chain_params(params))


def chain_params(params: AugmentParams) -> ChainParams:
    """The parameters that the steps themselves read."""
    return ChainParams(params.window, params.region, params.compose, params.verify, params.allow_empty)


MEDIAPIPE = (0.75, 0.9)
"""Scores of mediapipe's face detector that are worth the verifier's `low` and `alarm`: it finds faces in smeared fills,
wheels and shop shelves at .6 to .7, where CenterFace is silent at .3."""


def make_verifier(params: AugmentParams) -> Verifier:
    """The verifier's own models: CenterFace, which makes no mask, and the mask makers' detectors at a low score."""
    verify, threads = params.verify, params.detect.threads
    center, ssdlite, mediapipe = CenterFace(threads), SSDLite(threads), MediapipeFaces(threads)
    selfie = SelfieSegmenter(threads)

    def mediapipe_faces(frame: np.ndarray) -> np.ndarray:
        hits = mediapipe.faces(frame, MEDIAPIPE[0])
        hits[:, 4] = np.interp(hits[:, 4], (*MEDIAPIPE, 1.0), (verify.low, verify.alarm, 1.0))
        return hits

    return Verifier(
        {"centerface": lambda frame: center.faces(frame, verify.low, verify.face_scale), "mediapipe": mediapipe_faces},
        {"ssdlite": lambda frame: ssdlite.people(frame, verify.low)},
        verify,
        {"selfie": selfie.full},
    )
