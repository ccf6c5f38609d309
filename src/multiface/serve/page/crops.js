// Small pictures of faces. A page of them is one request: a strip ("sprite"), of which every element shows its part.

import { blob, left } from "./api.js";
import { h, letGo } from "./dom.js";

const MOST = 100;

/** An empty crop with the first letter of a name; `strip` puts the picture in. */
export function crop(name, size = "") {
  const letter = [...(name ?? "").trim()][0] ?? "?";
  return h(`div.crop${size ? `.${size}` : ""}`, { "aria-hidden": "true" }, letter.toLocaleUpperCase());
}

/**
 * Fill crops: kind is people, faces or templates, of pairs [id, element]. Where there is no picture, or none may be
 * seen, the letters stay.
 */
export async function strip(kind, pairs, signal) {
  const asked = { people: "person", faces: "face", templates: "template" }[kind];
  for (let from = 0; from < pairs.length; from += MOST) {
    const some = pairs.slice(from, from + MOST);
    try {
      const picture = await blob(`/v1/sprites/${kind}`, { [asked]: some.map(([id]) => id) }, signal);
      const source = URL.createObjectURL(picture);
      await ready(source);
      signal?.addEventListener("abort", () => letGo(source));
      some.forEach(([, element], k) => {
        element.style.backgroundImage = `url("${source}")`;
        element.style.backgroundPosition = `0 ${some.length > 1 ? (k / (some.length - 1)) * 100 : 0}%`;
        element.textContent = "";
      });
    } catch (error) {
      if (left(error)) return;
    }
  }
}

/** Decoded before it is shown, so that nothing blinks. */
async function ready(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
}

/** The part of a drawn picture around a box, as a crop. */
export function cut(source, box, size = "middle") {
  const element = h(`div.crop.${size}`, { "aria-hidden": "true" });
  const canvas = h("canvas", { width: 112, height: 112 });
  canvas.style.width = canvas.style.height = "100%";
  drawn(canvas, source, box, 1.25);
  element.append(canvas);
  return element;
}

function drawn(canvas, source, [x0, y0, x1, y1], by) {
  const side = Math.max(x1 - x0, y1 - y0) * by;
  const left_ = (x0 + x1 - side) / 2, top = (y0 + y1 - side) / 2;
  canvas.getContext("2d").drawImage(source, left_, top, side, side, 0, 0, canvas.width, canvas.height);
}

/** One face of a picture with what is around it, as a JPEG: what is enrolled of a picture of several people. */
export function faceAlone(source, [x0, y0, x1, y1], others = []) {
  const width = source.naturalWidth ?? source.width, height = source.naturalHeight ?? source.height;
  // As wide as no other face comes in, between 1.3 and 2.2 faces.
  const middle = [(x0 + x1) / 2, (y0 + y1) / 2], side = Math.max(x1 - x0, y1 - y0);
  let half = side * 1.1;
  for (const [a0, b0, a1, b1] of others) {
    const away = Math.max(a0 - middle[0], middle[0] - a1, b0 - middle[1], middle[1] - b1);
    half = Math.min(half, Math.max(away, side * 0.65));
  }
  const from = [Math.max(0, middle[0] - half), Math.max(0, middle[1] - half)];
  const to = [Math.min(width, middle[0] + half), Math.min(height, middle[1] + half)];
  const canvas = h("canvas", { width: Math.round(to[0] - from[0]), height: Math.round(to[1] - from[1]) });
  canvas.getContext("2d").drawImage(source, from[0], from[1], to[0] - from[0], to[1] - from[1], 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
}
