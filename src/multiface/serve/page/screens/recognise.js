// Who is in a picture: dropped, pasted, chosen or from the camera of this machine.

import { id, left, sendPictures } from "../api.js";
import { boxes, tied } from "../boxes.js";
import { cut, faceAlone } from "../crops.js";
import { button, fill, h, icon, named, spliced } from "../dom.js";
import { intake, readable } from "../intake.js";
import { fail, tell } from "../notices.js";
import { text } from "../strings.js";
import { webcamButton } from "../webcam.js";
import { askWho, offered } from "../who.js";
import { why } from "../why.js";

const words = text.recognise;

export function show(context) {
  const { place, title, signal } = context;
  const results = h("div.stack");
  const seen = h("div");
  const take = (files) => {
    for (const file of files.toReversed?.() ?? [...files].reverse()) results.prepend(result(file, context));
    while (results.children.length > 20) results.lastElementChild.remove();
  };
  const live = webcamButton(seen, { looked, taken: (picture) => take([picture]), signal });
  fill(place, h("div.head", title(words.title)), intake({ words: words.drop, take, signal, more: [live] }), seen, results);

  async function looked(picture, frame) {
    const { pictures: [one] } = await sendPictures("/v1/identify", [picture], {}, signal);
    boxes(frame, one.faces, one.width, one.height);
    const names = one.faces.map((face) => face.name);
    return h("p", one.faces.length === 0 ? words.nobodySeen : spliced(words.sees, { who: h("span", names.map((name, k) => [k ? ", " : "", name ? named(name) : text.unknown])) }));
  }
}

/** One picture and its answer, which comes later. */
function result(file, context) {
  const card = h("article.card", { "aria-busy": "true", "aria-label": file.name ?? words.taken }, h("p.busy", words.looking));
  (async () => {
    const { file: sent, shown } = await readable(file);
    try {
      const answer = await sendPictures("/v1/identify", [sent], {}, context.signal);
      drawn(card, answer, sent, shown, file.name ?? words.taken, context);
    } catch (error) {
      if (!left(error)) fill(card, h("h2", file.name ?? words.taken), fail(error));
    }
    card.removeAttribute("aria-busy");
  })();
  return card;
}

function drawn(card, answer, sent, shown, called, context) {
  const [one] = answer.pictures;
  const frame = shown ? h("div.picture", shown) : h("p.soft", words.notShown);
  if (shown) shown.alt = words.alt(one.faces.length);
  const around = shown ? boxes(frame, one.faces, one.width, one.height) : [];
  const rows = one.faces.map((face, k) => {
    const row = h("li", faceRow(face, k, one, sent, shown, context));
    if (around[k]) tied(row, around[k]);
    return row;
  });
  fill(card, h("div.two",
    h("div", frame),
    h("div.stack", h("h2", { tabindex: -1 }, h("bdi", called)),
      h("p.soft", { role: "status" }, words.found(one.faces.length, one.faces.filter((face) => face.name).length)),
      one.damaged ? h("div.note.warn", icon("warn"), h("p", words.damaged)) : null,
      h("ul.plain.lines", rows),
      answer.caveat ? h("small", answer.caveat) : null)));
}

function faceRow(face, k, one, sent, shown, context) {
  const who = h("p.who", face.name
    ? context.may("people:read") && face.person ? h("a", { href: `#/person/${id(face.person)}` }, named(face.name)) : named(face.name)
    : text.unknown);
  const others = one.faces.filter((_, other) => other !== k).map((other) => other.box);
  const whose = context.may("people:write") && (shown || one.faces.length === 1)
    ? button(face.name ? words.somebodyElse : words.thisIs, () => thisIs(face, one, sent, shown, others, context, row), { class: face.name ? "plain" : "" }, icon("enrol"))
    : null;
  const row = h("div.face", shown ? cut(shown, face.box) : h("span"), h("div", who, h("p", why(face)),
    face.runner_up ? h("p", h("small", spliced(words.runnerUp, { name: named(face.runner_up.name), similarity: face.runner_up.similarity.toFixed(3) }))) : null, whose));
  return row;
}

/** "This is ...": the face alone is enrolled. */
async function thisIs(face, one, sent, shown, others, context, row) {
  const first = [face.best, face.runner_up].filter((near) => near?.person && near.person !== face.person).map(offered);
  const result = await askWho({
    title: words.thisIsTitle, first, without: face.person, beside: shown ? cut(shown, face.box) : null, hint: words.thisIsWhat, signal: context.signal,
    async done(who, name) {
      const picture = one.faces.length === 1 && !shown ? sent : await faceAlone(shown, face.box, others);
      const saved = who.person ? await sendPictures(`/v1/people/${id(who.person)}/faces`, [picture]) : await sendPictures("/v1/people", [picture], who);
      return { ...saved, name };
    },
  });
  if (result) {
    tell(words.saved(result.name), result.undo);
    row.replaceChildren(row.firstElementChild, h("div", h("p.who", h("a", { href: `#/person/${id(result.person)}` }, named(result.name))), h("p.good", words.learnt)));
  }
}
