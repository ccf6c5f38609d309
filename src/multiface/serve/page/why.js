// Why a face has its name, or none, in one sentence.

import { alike, h, named, spliced } from "./dom.js";
import { text } from "./strings.js";

const words = text.why;

/** A face of /v1/identify, explained. */
export function why(face) {
  const parts = {
    name: face.best ? named(face.best.name) : "",
    other: face.runner_up ? named(face.runner_up.name) : "",
    similarity: alike(face.similarity ?? face.best?.similarity),
    second: alike(face.runner_up?.similarity),
    threshold: alike(face.threshold),
    rate: face.rate ? odds(face.rate) : "",
  };
  const sentence = words[face.reason] ?? words.otherwise;
  const more = face.too_poor ? ` ${words.poor(face.too_poor)}` : "";
  const beyond = face.reason === "known" && face.extrapolated ? ` ${words.extrapolated}` : "";
  return h("span", spliced(sentence, parts), more, beyond);
}

/** A rate as people say it: 0.001 is "1 in 1,000". */
export function odds(rate) {
  return text.odds(new Intl.NumberFormat(undefined, { maximumFractionDigits: rate > 0.05 ? 1 : 0 }).format(1 / rate));
}
