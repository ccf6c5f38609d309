// Small pictures of photos, which link to the photo itself.

import { id } from "./api.js";
import { h, icon } from "./dom.js";

/** alt: what is on it. The part that is shown has a face in it: that of the person, if one is meant. Films have none. */
export function thumb(photo, alt, person = null) {
  const href = `#/photo/${id(photo.photo)}`;
  if (photo.film) return h("a", { href }, h("span.crop", icon("cameras"), h("span.hidden-text", alt)));
  const image = h("img", { src: `/v1/photos/${id(photo.photo)}/picture?side=320`, alt, loading: "lazy", width: 160, height: 120 });
  const face = photo.faces.find((one) => one.person === person && person !== null) ?? photo.faces[0];
  if (face) {
    const [x0, y0, x1, y1] = face.box;
    image.style.objectPosition = `${(50 * (x0 + x1)) / photo.width}% ${(50 * (y0 + y1)) / photo.height}%`;
  }
  return h("a", { href }, image);
}
