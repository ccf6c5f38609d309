// Boxes around the faces of a picture. The same names stand beside it as words.

import { h, named } from "./dom.js";
import { text } from "./strings.js";

/** Draw boxes into a .picture of this width and height. faces: {box, name}. Returns the boxes. */
export function boxes(frame, faces, width, height) {
  frame.querySelectorAll(".box").forEach((one) => one.remove());
  return faces.map(({ box: [x0, y0, x1, y1], name }) => {
    const box = h(`div.box${name ? "" : ".unknown"}${y1 > height * 0.88 ? ".low" : ""}${x0 > width * 0.7 ? ".right" : ""}`, { "aria-hidden": "true" }, h("span", name ? named(name) : text.unknown));
    box.style.left = `${(100 * x0) / width}%`;
    box.style.top = `${(100 * y0) / height}%`;
    box.style.width = `${(100 * (x1 - x0)) / width}%`;
    box.style.height = `${(100 * (y1 - y0)) / height}%`;
    frame.append(box);
    return box;
  });
}

/** While a row is pointed at or has the focus, its box stands out. */
export function tied(row, box) {
  for (const name of ["pointerenter", "focusin"]) row.addEventListener(name, () => box.classList.add("lit"));
  for (const name of ["pointerleave", "focusout"]) row.addEventListener(name, () => box.classList.remove("lit"));
}
