"""Drawn faces for tests with several people: detectors of the package find them, and its weights tell them apart.

Nobody is shown, so no picture of a person is kept in the repository. The three people of `DRAWN` were chosen out of
1,300 drawings since their SFace embeddings are least alike: cosines of at most 0.34 between two of them and 0.2 with
the package's portrait, at least 0.9 between two takes of one.
"""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from docs.pictures import FACE, lens
from multiface.recognition.demo import PORTRAIT

DRAWN = {"ada": 5, "bob": 879, "cleo": 1199}
"""Name -> the number that a face is drawn from."""
PEOPLE = (*DRAWN, "dora")
"""Everybody. Dora is the package's portrait seen through a strong lens, which makes her another person to a network."""

SIDE = 200
"""Pixels of a drawn picture's side."""
_SCALE = 4  # it is drawn this much larger, and shrunk

Colour = tuple[int, ...]


def drawn_face(name: str, take: int = 0) -> npt.NDArray[np.uint8]:
    """A picture of one of the people, (200, 200, 3) uint8 RGB. take: 0 the plain one; others are lit, turned and sharp
    in other ways."""
    picture = (_portrait(DRAWN[name]) if name in DRAWN else _through_a_lens()).copy()
    if take:
        chance = np.random.default_rng(1000 * DRAWN.get(name, 0) + take)
        image = Image.fromarray(picture).rotate(chance.uniform(-9, 9), Image.Resampling.BICUBIC, expand=False)
        image = ImageEnhance.Brightness(image).enhance(chance.uniform(0.75, 1.2))
        image = ImageEnhance.Color(image).enhance(chance.uniform(0.5, 1.3))
        picture = np.asarray(image.filter(ImageFilter.GaussianBlur(chance.uniform(0.0, 0.8))))
    return picture


def save_people(folder: Path, pictures: dict[str, int]) -> Path:
    """The same folder, with so many pictures NAME/NAME1.jpg, NAME2.jpg, ... of each person."""
    for name, count in pictures.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for take in range(count):
            Image.fromarray(drawn_face(name, take)).save(folder / name / f"{name}{take + 1}.jpg", quality=95)
    return folder


def group_of(*faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pictures of equal size side by side, on grey; two of 200 x 200 give one of 1000 x 300."""
    height, width = faces[0].shape[:2]
    band = np.full((height, width, 3), 128, np.uint8)
    row = np.concatenate([part for face in faces for part in (band, face)] + [band], axis=1)
    return np.pad(row, ((height // 4, height // 4), (0, 0), (0, 0)), constant_values=128)


@cache
def _through_a_lens() -> npt.NDArray[np.uint8]:
    seen = lens(Image.open(PORTRAIT).convert("RGB"), FACE, 80, 0.8)
    return np.asarray(seen.crop((123, 20, 123 + SIDE, 20 + SIDE)))


@cache
def _portrait(seed: int) -> npt.NDArray[np.uint8]:
    r = np.random.default_rng(seed)
    n = SIDE * _SCALE
    background = tuple(int(v) for v in r.integers(60, 220, 3))
    image = Image.new("RGB", (n, n), background)
    draw = ImageDraw.Draw(image)
    red = r.integers(80, 245)
    green = red * r.uniform(0.68, 0.85)
    skin = np.array([red, green, red * r.uniform(0.5, 0.75)])
    w, h = r.uniform(0.2, 0.34) * n, r.uniform(0.32, 0.43) * n  # half axes of the head
    cx, cy = n / 2, n * 0.52
    hair = r.integers(10, 140) * np.array([1, 0.8, 0.6])
    draw.rectangle([cx - 0.12 * n, cy + h * 0.7, cx + 0.12 * n, n], fill=_colour(skin, 0.85))
    draw.ellipse([cx - w * 1.15, cy - h * 1.2, cx + w * 1.15, cy + h * 0.6], fill=_colour(hair))
    draw.ellipse([cx - w, cy - h, cx + w, cy + h], fill=_colour(skin))
    draw.pieslice([cx - w * 1.02, cy - h * 1.02, cx + w * 1.02, cy + h * 0.3], 180, 360, fill=_colour(hair))
    draw.ellipse([cx - w * 0.95, cy - h * 0.75, cx + w * 0.95, cy + h], fill=_colour(skin))
    # Eyes and brows
    ey, ex = cy - r.uniform(0.08, 0.2) * h, w * r.uniform(0.4, 0.5)
    ew = w * r.uniform(0.18, 0.26)
    eh = ew * r.uniform(0.4, 0.65)
    iris = tuple(int(v) for v in r.integers(20, 140, 3))
    for side in (-1, 1):
        x = cx + side * ex
        draw.ellipse([x - ew * 1.25, ey - eh * 1.5, x + ew * 1.25, ey + eh * 1.4], fill=_colour(skin, 0.8))
        draw.ellipse([x - ew, ey - eh, x + ew, ey + eh], fill=(245, 245, 240))
        k = eh * 0.95
        draw.ellipse([x - k, ey - k, x + k, ey + k], fill=iris)
        draw.ellipse([x - k * 0.5, ey - k * 0.5, x + k * 0.5, ey + k * 0.5], fill=(5, 5, 5))
        lid = [x - ew, ey - eh * 1.1, x + ew, ey + eh * 1.2]
        draw.arc(lid, 190, 350, fill=(30, 20, 20), width=int(n * 0.008))
        by = ey - eh * r.uniform(2.0, 2.6)
        inner, outer = (ew * 0.2, 0) if side < 0 else (0, ew * 0.2)
        brow = [x - ew * 1.2, by + inner, x, by - ew * 0.2, x + ew * 1.2, by + outer]
        draw.line(brow, fill=_colour(hair, 0.8), width=int(n * r.uniform(0.012, 0.03)), joint="curve")
    # Nose
    ny, nw = cy + h * r.uniform(0.2, 0.3), w * r.uniform(0.15, 0.25)
    top = ey + eh
    bridge = [(cx - nw * 0.5, top), (cx + nw * 0.5, top), (cx + nw, ny), (cx - nw, ny)]
    draw.polygon(bridge, fill=_colour(skin, 1.06))
    draw.line([cx - nw * 0.5, top, cx - nw, ny], fill=_colour(skin, 0.75), width=int(n * 0.01))
    draw.ellipse([cx - nw, ny - nw * 0.5, cx + nw, ny + nw * 0.5], fill=_colour(skin, 1.02))
    for side in (-1, 1):
        x = cx + side * nw * 0.55
        draw.ellipse([x - nw * 0.25, ny + nw * 0.1, x + nw * 0.25, ny + nw * 0.4], fill=_colour(skin, 0.4))
    # Mouth
    my, mw, mh = cy + h * r.uniform(0.5, 0.6), w * r.uniform(0.35, 0.5), h * r.uniform(0.05, 0.09)
    draw.ellipse([cx - mw, my - mh, cx + mw, my + mh], fill=_colour(skin * np.array([1, 0.6, 0.7]), 0.85))
    lips = [cx - mw, my, cx, my + mh * 0.2, cx + mw, my]
    draw.line(lips, fill=_colour(skin, 0.35), width=int(n * 0.008))
    if r.random() < 0.5:  # beard
        shade = r.uniform(0.35, 0.8)
        mask = Image.new("L", (n, n), 0)
        cut = ImageDraw.Draw(mask)
        cut.ellipse([cx - w * 0.97, cy - h * 0.75, cx + w * 0.97, cy + h * 1.02], fill=255)
        cut.rectangle([0, 0, n, my - mh * 2.2], fill=0)
        cut.ellipse([cx - mw * 1.1, my - mh * 1.6, cx + mw * 1.1, my + mh * 1.6], fill=0)
        image.paste(_colour(hair, shade + 0.3), (0, 0), mask)
        draw = ImageDraw.Draw(image)
    if r.random() < 0.4:  # moustache
        draw.ellipse([cx - mw * 1.1, my - mh * 3.0, cx + mw * 1.1, my - mh * 1.3], fill=_colour(hair, 0.9))
    if r.random() < 0.4:  # glasses
        frame, width = tuple(int(v) for v in r.integers(0, 80, 3)), int(n * r.uniform(0.006, 0.02))
        for side in (-1, 1):
            x = cx + side * ex
            glass = [x - ew * 1.6, ey - eh * 2.4, x + ew * 1.6, ey + eh * 2.4]
            draw.ellipse(glass, outline=frame, width=width)
        draw.line([cx - ex + ew * 1.5, ey, cx + ex - ew * 1.5, ey], fill=frame, width=width)
    if r.random() < 0.4:  # long hair
        for side in (-1, 1):
            x = cx + side * w
            draw.ellipse([x - w * 0.28, cy - h * 0.9, x + w * 0.28, cy + h * 1.2], fill=_colour(hair))
    if r.random() < 0.4:  # wrinkles
        for y in np.linspace(cy - h * 0.62, ey - eh * 4, 3):
            draw.line([cx - w * 0.5, y, cx + w * 0.5, y], fill=_colour(skin, 0.8), width=int(n * 0.006))
    for side in (-1, 1):
        if r.random() < 0.5:
            x = cx + side * mw * 1.2
            fold = [x - mw * 0.35, ny - mh, x + mw * 0.35, my + mh]
            begin, end = (120, 240) if side < 0 else (-60, 60)
            draw.arc(fold, begin, end, fill=_colour(skin, 0.75), width=int(n * 0.01))
    image = image.filter(ImageFilter.GaussianBlur(_SCALE * SIDE / 120))
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)).astype(float)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    light = 1 + 0.25 * (r.uniform(-1, 1) * (x - 0.5) + 0.8 * (0.5 - y))
    grain = np.random.default_rng(seed + 999).normal(0, 3, pixels.shape)
    return np.clip(pixels * light[..., None] + grain, 0, 255).astype(np.uint8)


def _colour(values: npt.NDArray[np.floating], factor: float = 1.0) -> Colour:
    return tuple(int(min(255, max(0, value * factor))) for value in values)
