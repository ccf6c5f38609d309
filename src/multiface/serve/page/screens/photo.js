// One photo of an album: who is on it, corrected; a face that was missed, drawn.

import { get, id, patch, post } from "../api.js";
import { boxes, tied } from "../boxes.js";
import { crop, strip } from "../crops.js";
import { button, fill, h, icon, minute, named } from "../dom.js";
import { attempt, tell } from "../notices.js";
import { text } from "../strings.js";
import { askWho } from "../who.js";

const words = text.photo;
const second = (value) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;

export async function show(context) {
  const { place, title, signal, may } = context;
  const photo = await get(`/v1/photos/${id(context.id)}`, {}, signal);
  const write = may("people:write");
  const { again } = context;
  const frame = photo.film ? h("div.picture") : h("div.picture", h("img", { src: `/v1/photos/${id(photo.photo)}/picture?side=1600`, alt: words.alt(photo.faces.length), width: photo.width, height: photo.height }));
  const seen = photo.faces.filter((one) => !one.ignored);
  const around = photo.film ? [] : boxes(frame, seen, photo.width, photo.height);
  const strangers = seen.filter((one) => !one.name).map((one) => one.face);
  const hidden = photo.faces.filter((one) => one.ignored);
  const crops = [];
  const draw = h("div");
  const rows = seen.map((one, k) => {
    const li = h("li", row(one));
    if (around[k]) tied(li, around[k]);
    return li;
  });
  fill(place, h("p", h("a", { href: "#/albums" }, text.screens.albums)),
    h("div.head", title(photo.taken ? words.taken(minute(photo.taken)) : words.title)),
    h("div.two", h("div.stack", photo.film ? null : h("div", frame), draw, write && !photo.film ? h("div.row", button(words.missed, missed, icon("edit"))) : null,
      photo.film ? h("p.soft", words.film) : null),
      h("section.card.stack", h("h2", words.who), seen.length ? h("ul.plain.lines", rows) : h("p.soft", words.nobody),
        write && strangers.length > 1 ? h("div", button(words.ignoreAll, () => attempt(async () => {
          const answer = await post("/v1/faces/ignore", { faces: strangers });
          tell(words.ignoredNow, answer.undo, again);
          again();
        }), {}, icon("hide"))) : null,
        hidden.length ? h("details", h("summary", words.ignored(hidden.length)), h("ul.plain.lines", hidden.map((one) => h("li", row(one))))) : null)));
  if (may("pictures:read")) strip("faces", crops, signal);

  function row(one) {
    const picture = crop(one.name, "middle");
    crops.push([one.face, picture]);
    const who = one.name && one.person ? h("a", { href: `#/person/${id(one.person)}` }, named(one.name)) : one.name ? named(one.name) : text.unknown;
    return h("div.face", picture, h("div", h("p.who", who), h("p", h("small", one.by_hand ? words.byHand : one.name ? words.found : one.too_poor ? words.poor : one.stranger ? words.stranger(one.stranger) : words.single, one.seconds ? ` · ${words.moments(second(one.seconds[0]), second(one.seconds[1]))}` : "")),
      write ? h("div.row", button(one.name ? words.other : words.name, () => name(one), {}, icon("edit")),
        one.person ? button(words.not, () => change(one, { not: one.person }, words.notNow), { class: "plain" }, icon("close")) : null,
        button(one.ignored ? words.unignore : words.ignore, () => change(one, { ignored: !one.ignored }, one.ignored ? words.unignored : words.ignoredNow), { class: "plain" }, icon("hide"))) : null));
  }
  async function change(one, body, sentence) {
    await attempt(async () => {
      const answer = await patch(`/v1/faces/${one.face}`, body);
      tell(sentence, answer.undo, again);
      again();
    });
  }
  async function name(one) {
    const answer = await askWho({ title: words.whoIs, without: one.person, signal, done: (who) => patch(`/v1/faces/${one.face}`, who) });
    if (answer) {
      tell(words.named(answer.name), answer.undo, again);
      again();
    }
  }

  /** A box that is moved with pointer, keys or buttons; then it gets a name. */
  function missed() {
    const box = { x: photo.width / 2, y: photo.height / 2, side: Math.max(24, Math.min(photo.width, photo.height) / 5) };
    const mark = h("div.drawn", { role: "application", tabindex: 0, "aria-label": words.boxKeys });
    const place_ = () => {
      box.side = Math.max(16, Math.min(box.side, photo.width, photo.height));
      box.x = Math.max(box.side / 2, Math.min(box.x, photo.width - box.side / 2));
      box.y = Math.max(box.side / 2, Math.min(box.y, photo.height - box.side / 2));
      mark.style.left = `${(100 * (box.x - box.side / 2)) / photo.width}%`;
      mark.style.top = `${(100 * (box.y - box.side / 2)) / photo.height}%`;
      mark.style.width = `${(100 * box.side) / photo.width}%`;
      mark.style.height = `${(100 * box.side) / photo.height}%`;
    };
    const at = (event) => {
      const { left, top, width, height } = frame.getBoundingClientRect();
      return [((event.clientX - left) / width) * photo.width, ((event.clientY - top) / height) * photo.height];
    };
    let from = null;
    const on = new AbortController();
    signal.addEventListener("abort", () => on.abort());
    frame.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      from = at(event);
      [box.x, box.y] = from;
      frame.setPointerCapture(event.pointerId);
      place_();
    }, { signal: on.signal });
    frame.addEventListener("pointermove", (event) => {
      if (from === null) return;
      const [x, y] = at(event);
      const side = Math.max(Math.abs(x - from[0]), Math.abs(y - from[1]));
      if (side > 12) Object.assign(box, { side, x: (x + from[0]) / 2, y: (y + from[1]) / 2 });
      place_();
    }, { signal: on.signal });
    frame.addEventListener("pointerup", () => (from = null), { signal: on.signal });
    mark.addEventListener("keydown", (event) => {
      const step = box.side / (event.shiftKey ? 2 : 8);
      const moves = { ArrowLeft: [-step, 0, 1], ArrowRight: [step, 0, 1], ArrowUp: [0, -step, 1], ArrowDown: [0, step, 1], "+": [0, 0, 1.15], "-": [0, 0, 1 / 1.15] };
      const move = moves[event.key];
      if (event.key === "Enter") save();
      else if (event.key === "Escape") stop();
      else if (move) {
        event.preventDefault();
        box.x += move[0];
        box.y += move[1];
        box.side *= move[2];
        place_();
      }
    }, { signal: on.signal });
    const size = (by) => () => {
      box.side *= by;
      place_();
    };
    const stop = () => {
      on.abort();
      mark.remove();
      fill(draw);
    };
    const save = async () => {
      const half = box.side / 2;
      const around_ = [box.x - half, box.y - half, box.x + half, box.y + half].map((one) => Math.round(one * 10) / 10);
      const answer = await askWho({ title: words.missed, signal, done: (who) => post(`/v1/photos/${id(photo.photo)}/faces`, { box: around_, ...who }) });
      if (answer) {
        stop();
        tell(words.named(answer.name), answer.undo, again);
        again();
      }
    };
    frame.append(mark);
    place_();
    mark.focus();
    fill(draw, h("div.card.stack", h("p", words.boxHow), h("div.row", button(words.smaller, size(1 / 1.15)), button(words.larger, size(1.15)),
      button(words.boxDone, save, { class: "primary" }, icon("check")), button(text.cancel, stop))));
  }
}
