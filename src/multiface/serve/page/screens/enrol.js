// Somebody new, or more pictures of somebody: each picture is looked at before anything is kept.

import { get, id, left, sendPictures } from "../api.js";
import { cut, faceAlone } from "../crops.js";
import { button, fill, h, icon, named, spliced } from "../dom.js";
import { boxes } from "../boxes.js";
import { intake, readable } from "../intake.js";
import { fail, tell } from "../notices.js";
import { personPicker } from "../picker.js";
import { text } from "../strings.js";
import { webcamButton } from "../webcam.js";

const words = text.enrol;
const SMALL = 60;
const MOST = 18_000_000;

export async function show(context) {
  const { place, title, signal, query, may } = context;
  let target = null;
  if (query.get("person")) target = await get(`/v1/people/${id(query.get("person"))}`, {}, signal);
  const looked = [];
  const picker = personPicker({ label: words.who, fresh: true, value: target?.name ?? query.get("name") ?? "", signal, chosen: () => judge() });
  if (target) picker.field.readOnly = true;
  picker.field.addEventListener("input", () => judge());
  const list = h("ul.plain.lines");
  const card = h("section.card", { hidden: true, "aria-label": words.pictures }, list);
  const seen = h("div");
  const outcome = h("div", { role: "status" });
  const save = button(words.save, () => keep(), { class: "primary", disabled: true }, icon("check"));
  const say = h("span.soft", { role: "status" });
  const live = webcamButton(seen, { looked: hint, taken: (picture) => take([picture]), signal });
  const who = () => target ?? picker.value() ?? (picker.field.value.trim() ? { person: null, name: picker.field.value.trim() } : null);

  fill(place, h("div.head", title(target ? words.more : words.title)), h("p.lead", words.lead),
    h("section.card", picker.element), intake({ words: words.drop, take, signal, more: may("recognise") ? [live] : [] }), seen, card, h("div.row", save, say), outcome);

  async function take(files) {
    card.hidden = false;
    for (const file of files) {
      const one = { file, row: h("li", h("p.busy", words.looking)), use: null, state: "waiting" };
      looked.push(one);
      list.append(one.row);
    }
    // One after the other: the service has other guests.
    for (const one of looked.filter((each) => each.state === "waiting")) {
      one.state = "looking";
      await look(one);
      if (signal.aborted) return;
      judge();
    }
  }

  async function look(one) {
    const { file, shown } = await readable(one.file);
    Object.assign(one, { sent: file, shown });
    try {
      const answer = may("recognise") ? await sendPictures("/v1/identify", [file], {}, signal) : null;
      one.faces = answer?.pictures[0].faces ?? null;
      one.state = "looked";
      one.face = one.faces ? [...one.faces].sort((a, b) => area(b) - area(a))[0] : null;
    } catch (error) {
      if (left(error)) return;
      one.state = "wrong";
      one.problem = error;
    }
    one.use = h("input", { type: "checkbox", checked: one.state === "looked" && one.faces?.length !== 0 && !one.face?.too_poor, disabled: one.state !== "looked" || one.faces?.length === 0, onchange: () => judge() });
    one.hints = h("ul.plain");
    const label = one.file.name ?? words.taken;
    fill(one.row, h("div.face", one.shown && one.face ? cut(one.shown, one.face.box) : h("div.crop.middle", { "aria-hidden": "true" }, "?"),
      h("div", h("label.check", one.use, h("bdi", label)), one.hints)));
  }

  /** What is to be said of each picture, for who is meant now. */
  function judge() {
    const meant = who();
    let count = 0;
    for (const one of looked) {
      if (!one.hints || one.state === "kept") continue;
      const said = hints(one, meant);
      fill(one.hints, said.map(([kind, sentence]) => h(`li.${kind}`, icon(kind === "good" ? "check" : "warn"), " ", sentence)));
      count += one.use.checked ? 1 : 0;
    }
    save.disabled = count === 0 || meant === null;
    say.textContent = count === 0 ? (looked.length ? words.noneChosen : "") : meant === null ? words.nameMissing : words.ready(count);
  }

  function hints(one, meant) {
    if (one.state === "wrong") return [["bad", one.problem.message]];
    if (one.faces === null) return [["good", words.notLooked]];
    if (one.faces.length === 0) return [["bad", words.noFace]];
    const found = [];
    if (one.faces.length > 1) found.push(["warned", words.severalFaces(one.faces.length)]);
    const near = one.face.best;
    const other = near && (meant?.person ? near.person !== meant.person : near.name !== meant?.name);
    if (other && (one.face.name || meant?.person))
      found.push(["warned", one.face.name ? spliced(words.isAlready, { name: named(near.name), similarity: near.similarity.toFixed(3) })
        : spliced(words.moreLike, { name: named(near.name), wanted: named(meant.name), similarity: near.similarity.toFixed(3) })]);
    if (one.face.too_poor) found.push(["warned", words.poor(one.face.too_poor)]);
    if (Math.min(one.face.box[2] - one.face.box[0], one.face.box[3] - one.face.box[1]) < SMALL) found.push(["warned", words.small]);
    return found.length ? found : [["good", words.fine]];
  }

  /** What to do better before the camera. */
  async function hint(picture, frame) {
    const { pictures: [one] } = await sendPictures("/v1/identify", [picture], {}, signal);
    boxes(frame, one.faces, one.width, one.height);
    const [face] = one.faces;
    const words_ = one.faces.length === 0 ? words.noFace
      : one.faces.length > 1 ? words.onlyOne
      : face.box[3] - face.box[1] < one.height * 0.25 ? words.closer
      : face.too_poor ? words.poor(face.too_poor) : words.good;
    return h(`p.${words_ === words.good ? "good" : "warned"}`, { role: "status" }, words_);
  }

  async function keep() {
    const meant = who();
    const chosen = looked.filter((one) => one.use?.checked && one.state === "looked");
    save.disabled = true;
    fill(outcome, h("p.busy", words.saving));
    try {
      let person = meant.person, undo = null, added = 0;
      for (const some of await portions(chosen)) {
        const force = some.some((one) => one.face?.too_poor) || null;
        const answer = person === null
          ? await sendPictures("/v1/people", some.map((one) => one.picture), { name: meant.name, force, another: meant.fresh })
          : await sendPictures(`/v1/people/${id(person)}/faces`, some.map((one) => one.picture), { force });
        person = answer.person;
        undo = answer.undo ?? undo;
        added += answer.added;
        some.forEach((one, k) => kept(one, answer.refused.find((each) => each.index === k)?.reason));
      }
      tell(words.saved(meant.name, added), undo);
      target = { person, name: meant.name };
      picker.field.readOnly = true;
      fill(outcome, h("div.row", h("a.button", { href: `#/person/${id(person)}` }, icon("person"), words.see), h("a.button", { href: "#/enrol?new" }, icon("enrol"), words.another)));
    } catch (error) {
      fill(outcome, fail(error));
    }
    judge();
  }

  function kept(one, reason) {
    one.state = reason ? "looked" : "kept";
    one.use.checked = false;
    one.use.disabled = !reason;
    fill(one.hints, h(`li.${reason ? "bad" : "good"}`, icon(reason ? "warn" : "check"), " ", reason ? words.refused(reason) : words.taken_));
    if (reason) one.hints = h("ul");
  }
}

const area = (face) => (face.box[2] - face.box[0]) * (face.box[3] - face.box[1]);

/** Pictures in requests that are not too large. Of several faces the largest is cut out. */
async function portions(chosen) {
  const found = [];
  let size = Infinity;
  for (const one of chosen) {
    const others = (one.faces ?? []).filter((face) => face !== one.face).map((face) => face.box);
    one.picture = others.length && one.shown ? await faceAlone(one.shown, one.face.box, others) : one.sent;
    if (size + one.picture.size > MOST || found.at(-1)?.length >= 50) {
      found.push([]);
      size = 0;
    }
    found.at(-1).push(one);
    size += one.picture.size;
  }
  return found;
}
