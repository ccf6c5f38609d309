"""How many frames a second `multiface video` does, and how that compares to the original's way.

    python benchmarks/video_speed.py PEOPLE-FOLDER --photos A.jpg B.jpg [--pair scrfd_500m mobilefacenet_128_ms1m]

Clips of two moving faces (`moving_faces.py`) at 640x360, 1280x720 and 1920x1080 are worked on from start to finish:
decoded, tracked, named against PEOPLE-FOLDER, drawn and encoded with the package's own settings. The peer is the way of
`infer_on_video.py`: one frame after another, detection and an embedding of each face with its mirror image in every
frame, the nearest person, drawing on RGB, encoding; with the same networks and encoder, in the same process.
`--peer-detector mtcnn` gives the peer another detector: the original had no choice. The two take turns, `--rounds` of
them; a ratio is the peer's time over ours, its median with the least and the greatest. The clips are 10 seconds long;
`--clip` takes a real one instead. Loading of networks is not counted.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
from moving_faces import RATE, write_clip

from multiface import Recognizer, RecognizerSettings
from multiface.decision import decide
from multiface.faces.align import align
from multiface.gallery import score_people
from multiface.images import Mark, draw_faces
from multiface.recognition import RULE
from multiface.video.copy.annotated_file import AnnotatedFile
from multiface.video.engine.engine import VideoEngine
from multiface.video.sources.file_source import open_file

SIZES = ((640, 360), (1280, 720), (1920, 1080))
SECONDS = 10


def ours(recognizer: Recognizer, clip: Path, out: Path) -> tuple[float, int]:
    """Seconds, and faces named in frames."""
    start = time.perf_counter()
    named = 0
    source = open_file(clip)
    with (
        AnnotatedFile(out, clip, source.info) as copy,
        closing(VideoEngine(recognizer).run(source)) as results,
    ):
        for result in results:
            copy.write(result)
            named += sum(face.name is not None for face in result.faces)
    return time.perf_counter() - start, named


def frame_by_frame(recognizer: Recognizer, clip: Path, out: Path, frames: int) -> tuple[float, int]:
    """The original's way over the first `frames` frames: seconds, and faces named in frames."""
    assert recognizer.gallery is not None
    matrix, spec = recognizer.gallery.matrix(), recognizer.embedder.spec
    size = (spec.width, spec.height)
    start = time.perf_counter()
    named = 0
    with av.open(str(clip)) as reading, av.open(str(out), "w") as writing:
        video = reading.streams.video[0]
        video.thread_type = "AUTO"
        stream = writing.add_stream(
            "libx264", rate=video.average_rate, options={"preset": "superfast", "crf": "20", "bf": "0"}
        )
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        stream.time_base = 1 / Fraction(video.average_rate)
        for number, frame in enumerate(reading.decode(video)):
            if number == frames:
                break
            image = frame.to_ndarray(format="rgb24")
            faces = recognizer.detector.detect(image)
            vectors = recognizer.embedder.embed(
                align(image, faces.landmarks, spec.template, size), recognizer.flip
            )
            wanted = recognizer.calibration.threshold_for_identify(recognizer.rate, len(matrix.names))
            decisions = decide(
                score_people(vectors, matrix, RULE),
                matrix.names,
                wanted,
                recognizer.calibration.margin,
                recognizer.calibration.rise(matrix.spread),
            )
            marks = [
                Mark((box[0], box[1], box[2], box[3]), decision.name or "unknown")
                for box, decision in zip(faces.boxes.tolist(), decisions, strict=True)
            ]
            named += sum(decision.name is not None for decision in decisions)
            drawn = av.VideoFrame.from_ndarray(draw_faces(image, marks), format="rgb24")
            drawn.pts = number
            writing.mux(stream.encode(drawn))
        writing.mux(stream.encode(None))
    return time.perf_counter() - start, named


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("people", type=Path)
    parser.add_argument(
        "--photos", type=Path, nargs=2, help="of one face each, about half as high as the photo"
    )
    parser.add_argument("--pair", nargs=2, default=["yunet_onet", "sface"], metavar=("DETECTOR", "WEIGHTS"))
    parser.add_argument("--peer-detector", help="of the original's way; that of the pair")
    parser.add_argument("--clip", type=Path, help="a video instead of the two moving photos")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-frames", type=int, default=100, help="of the clip that the peer goes through")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    if (given.photos is None) == (given.clip is None):
        parser.error("either --photos or --clip")
    detector, weights = given.pair
    what = f"two faces, {SECONDS} s at {RATE} frames a second" if given.clip is None else given.clip.name
    print(f"{detector} + {weights} (the original's way: {given.peer_detector or detector}), {what}")
    print(
        "| size | frames a second (least to greatest) | the original's way | ratio | faces named, ours and peer's |"
    )
    print("|---|---|---|---|---|")

    def opened(detector: str) -> Recognizer:
        return Recognizer(
            detector=detector,
            weights=weights,
            people=given.people,
            settings=RecognizerSettings(store=given.store, cache=given.cache),
        )

    with (
        opened(detector) as recognizer,
        opened(given.peer_detector or detector) as peer,
        tempfile.TemporaryDirectory() as place,
    ):
        folder = Path(place)
        if given.clip is not None:
            compare(recognizer, peer, given.clip, folder, given.rounds, given.peer_frames)
            return
        for width, height in SIZES:
            clip = folder / f"{height}.mp4"
            write_clip(clip, given.photos, width, height, SECONDS * RATE)
            compare(recognizer, peer, clip, folder, given.rounds, given.peer_frames)


def compare(
    recognizer: Recognizer, peer: Recognizer, clip: Path, folder: Path, rounds: int, peer_frames: int
) -> None:
    """Prints a row of the table."""
    with closing(open_file(clip)) as source:
        info = source.info
    assert info.frames is not None
    peer_frames = min(peer_frames, info.frames)
    speeds, peers, ratios = [], [], []
    ours(recognizer, clip, folder / "warm.mp4")
    for _ in range(rounds):
        seconds, named = ours(recognizer, clip, folder / "ours.mp4")
        speeds.append(info.frames / seconds)
        seconds, peer_named = frame_by_frame(peer, clip, folder / "peer.mp4", peer_frames)
        peers.append(peer_frames / seconds)
        ratios.append(speeds[-1] / peers[-1])
    print(
        f"| {info.width}x{info.height} | {statistics.median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f}) "
        f"| {statistics.median(peers):.1f} | {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) "
        f"| {named / info.frames:.2f}, {peer_named / peer_frames:.2f} a frame |",
        flush=True,
    )


if __name__ == "__main__":
    main()
