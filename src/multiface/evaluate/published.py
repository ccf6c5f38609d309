"""Accuracies on verification sets that others have published, to stand beside measured ones.

Per cent, ten folds. Each row names where its figures were read. They were measured by their makers, with
their own alignment and often with flips; a difference of a few tenths to a measurement of ours may mean
nothing more.

Not here: figures that were not found in a source that could be read. The tables of MultiFace's paper
(arXiv:2101.09899) were not to be had; its README has neither VGG2-FP nor IR-SE50.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SETS: tuple[str, ...] = ("lfw", "cfp_fp", "agedb_30", "calfw", "cplfw", "vgg2_fp")
"""The sets, called as their packs are."""


@dataclass(frozen=True, slots=True)
class Published:
    """One network with one head.

    network, head: as the source calls them. accuracy: set to per cent. weights: the names in the catalogue of
    these very weights, empty where it does not have them. source: where the figures stand.
    """

    network: str
    head: str
    accuracy: Mapping[str, float]
    weights: tuple[str, ...]
    source: str


def _row(network: str, head: str, source: str, weights: tuple[str, ...] = (), **accuracy: float) -> Published:
    return Published(network, head, MappingProxyType(accuracy), weights, source)


_MULTIFACE = "README of github.com/KikimorMay/MultiFace (paper: Xu et al. 2021, arXiv:2101.09899)"
_PYTORCH = "README of github.com/TreB1eN/InsightFace_Pytorch"
_ZOO = "model_zoo/README.md of github.com/deepinsight/insightface"
_MOBILE, _SE100 = "MobileFaceNet", "IR-SE100"

PUBLISHED: tuple[Published, ...] = (
    _row(_MOBILE, "Softmax", _MULTIFACE, lfw=99.22, cfp_fp=92.84, agedb_30=94.00, calfw=93.80, cplfw=88.30),
    _row(
        _MOBILE,
        "Multi-Softmax (4)",
        _MULTIFACE,
        lfw=99.40,
        cfp_fp=95.46,
        agedb_30=95.25,
        calfw=95.15,
        cplfw=90.22,
    ),
    _row(_MOBILE, "ArcFace", _MULTIFACE, lfw=99.45, cfp_fp=92.27, agedb_30=96.03, calfw=95.12, cplfw=87.75),
    _row(
        _MOBILE,
        "Multi-ArcFace (2)",
        _MULTIFACE,
        lfw=99.52,
        cfp_fp=93.41,
        agedb_30=96.35,
        calfw=95.28,
        cplfw=88.65,
    ),
    _row(_MOBILE, "CosFace", _MULTIFACE, lfw=99.43, cfp_fp=92.83, agedb_30=95.77, calfw=94.97, cplfw=88.88),
    _row(
        _MOBILE,
        "Multi-CosFace (2)",
        _MULTIFACE,
        lfw=99.50,
        cfp_fp=93.58,
        agedb_30=96.17,
        calfw=95.20,
        cplfw=89.03,
    ),
    _row(
        _MOBILE,
        "Multi-CosFace (4)",
        _MULTIFACE,
        lfw=99.60,
        cfp_fp=94.11,
        agedb_30=96.13,
        calfw=95.18,
        cplfw=89.47,
    ),
    _row(_SE100, "Multi-ArcFace (2)", _MULTIFACE, agedb_30=98.20, cfp_fp=98.30, calfw=96.02, cplfw=93.17),
    _row(_SE100, "Multi-CosFace (2)", _MULTIFACE, agedb_30=98.20, cfp_fp=98.40, calfw=96.07, cplfw=93.06),
    _row(
        "IR-SE50",
        "ArcFace",
        _PYTORCH,
        lfw=99.52,
        cfp_fp=95.04,
        agedb_30=96.22,
        calfw=95.57,
        cplfw=91.07,
        vgg2_fp=93.86,
    ),
    _row(
        _MOBILE,
        "ArcFace",
        _PYTORCH,
        lfw=99.18,
        cfp_fp=89.86,
        agedb_30=93.47,
        calfw=94.02,
        cplfw=86.6,
        vgg2_fp=91.00,
    ),
    _row(
        "ResNet-50 (WebFace600K)",
        "margin-based softmax",
        _ZOO,
        ("buffalo_l", "buffalo_m"),
        lfw=99.83,
        cfp_fp=99.33,
        agedb_30=98.23,
    ),
    _row(
        "MobileFaceNet (WebFace600K)",
        "margin-based softmax",
        _ZOO,
        ("buffalo_s", "buffalo_sc"),
        lfw=99.70,
        cfp_fp=98.00,
        agedb_30=96.58,
    ),
    _row(
        "MobileNet (MS1M)",
        "SFace",
        "models/face_recognition_sface/README.md of github.com/opencv/opencv_zoo",
        ("sface", "sface_zoo"),
        lfw=99.40,
    ),
    _row(
        "EdgeFace-XS",
        "not stated",
        "model card of huggingface.co/Idiap/EdgeFace-Base",
        ("edgeface_xs",),
        lfw=99.73,
    ),
)


def published_for(weights: str) -> Published | None:
    """The row of weights of the catalogue, None where no figure was found."""
    return next((row for row in PUBLISHED if weights in row.weights), None)
