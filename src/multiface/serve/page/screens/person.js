// One person: pictures, groups, note, photos, where seen last, what was changed; merging and removing.

import { get, id, left, patch, post, tagged } from "../api.js";
import { changeList } from "../changes.js";
import { crop, strip } from "../crops.js";
import { ask } from "../dialogs.js";
import { button, day, fill, h, icon, minute, named, newId, spliced } from "../dom.js";
import { Told, attempt, fail, keep, tell } from "../notices.js";
import { personPicker } from "../picker.js";
import { removePerson } from "../removal.js";
import { text } from "../strings.js";
import { thumb } from "../thumbs.js";

const words = text.person;

export async function show(context) {
  const { place, title, signal, may } = context;
  const person = await tagged(`/v1/people/${id(context.id)}`, signal);
  const at = `/v1/people/${id(person.person)}`;
  const { again } = context;
  const write = may("people:write");
  const face = crop(person.name, "large");
  if (may("pictures:read") && person.templates) strip("people", [[person.person, face]], signal);
  const heading = title(person.name);
  heading.replaceChildren(named(person.name));

  fill(place,
    h("p", h("a", { href: "#/people" }, text.screens.people)),
    h("div.head", face, heading,
      write ? h("div.row",
        h("a.button.primary", { href: `#/enrol?person=${id(person.person)}` }, icon("enrol"), words.add),
        button(words.edit, () => edit(person, at, again), icon("edit")),
        button(words.merge, () => merge(person, at, again, signal), icon("merge"))) : null),
    h("div.two",
      h("div.stack", section(words.pictures, (into) => faces(into, person, at, again, context)), section(words.photos, (into) => photos(into, at, person.person, signal))),
      h("div.stack",
        h("section.card.stack", h("h2", words.about), facts(person)),
        section(words.lastSeen, (into) => seen(into, at, signal)),
        section(words.changes, (into) => changes(into, person, again, context)),
        h("section.card.stack", h("h2", words.own), h("p.soft", words.ownWhat), h("div.row",
          may("pictures:read") ? button(words.export, () => attempt(() => keep(`${at}/export`, "person.zip")), {}, icon("download")) : null,
          write ? button(words.remove, () => removePerson(person, () => (location.hash = "#/people")), { class: "danger" }, icon("trash")) : null)))));
}

/** A part that loads by itself: where it fails, the others stand. */
function section(heading, load) {
  const into = h("div.stack", h("p.busy", text.loading));
  load(into).catch((error) => left(error) || fill(into, fail(error)));
  return h("section.card.stack", h("h2", heading), into);
}

function facts(person) {
  return h("dl.facts",
    h("dt", words.groups), h("dd", person.groups.length ? h("div.row", person.groups.map((one) => h("span.tag", h("bdi", one)))) : "–"),
    h("dt", words.note), h("dd", h("bdi", person.note || "–")),
    person.external_id ? [h("dt", words.external), h("dd", h("bdi", person.external_id))] : null,
    h("dt", words.created), h("dd", day(person.created)));
}

async function faces(into, person, at, again, { may, signal }) {
  const { faces: found } = await get(`${at}/faces`, {}, signal);
  if (found.length === 0) {
    fill(into, h("p.soft", words.noPictures));
    return;
  }
  const pairs = [];
  const tiles = found.map((one, k) => {
    const picture = crop(person.name);
    pairs.push([one.face, picture]);
    const cover = one.face === person.cover;
    const words_ = words.pictureOf(k + 1, day(one.added));
    return h("li", may("people:write")
      ? h("button.pick", { type: "button", "aria-pressed": String(cover), "aria-label": cover ? words.isCover(words_) : words.makeCover(words_), title: words_,
          onclick: () => attempt(async () => {
            await patch(at, { cover: one.face });
            tell(words.coverSet);
            again();
          }) }, picture)
      : picture);
  });
  fill(into, h("ul.faces", tiles), may("people:write") ? h("small", words.coverHow) : null);
  if (may("pictures:read")) strip("templates", pairs, signal);
}

async function photos(into, at, person, signal) {
  const { photos: found } = await get(`${at}/photos`, { limit: 12 }, signal);
  if (found.length === 0) fill(into, h("p.soft", words.noPhotos));
  else fill(into, h("ul.photos", found.map((one) => h("li", thumb(one, (one.film ? words.filmOf : words.photoOf)(day(one.taken)), person)))));
}

async function seen(into, at, signal) {
  const { album, cameras } = await get(`${at}/last_seen`, {}, signal);
  const lines = [
    album ? h("li", spliced(words.inPhoto, { when: h("a", { href: `#/photo/${id(album.photo)}` }, day(album.taken) || words.aPhoto) })) : null,
    ...(cameras ?? []).map((one) => h("li", spliced(words.byCamera, { camera: h("bdi", one.name), when: minute(one.time) }))),
  ].filter(Boolean);
  fill(into, lines.length ? h("ul.plain.lines", lines) : h("p.soft", words.notSeen));
}

async function changes(into, person, again, { may, signal }) {
  const { changes: found } = await get("/v1/changes", { person: person.person, limit: 10 }, signal);
  fill(into, changeList(found, may("people:write"), again));
}

async function edit(person, at, again) {
  const ids = [newId("name"), newId("groups"), newId("note")];
  const name = h("input", { id: ids[0], dir: "auto", value: person.name, maxlength: 1000, required: true });
  const groups = h("input", { id: ids[1], dir: "auto", value: person.groups.join(", ") });
  const note = h("textarea", { id: ids[2], dir: "auto", value: person.note ?? "", maxlength: 10000 });
  const done = await ask({
    title: words.edit,
    content: h("div.stack", h("div.field", h("label", { for: ids[0] }, words.name), name),
      h("div.field", h("label", { for: ids[1] }, words.groups), groups, h("small", words.groupsHow)),
      h("div.field", h("label", { for: ids[2] }, words.note), note)),
    label: text.save,
    async done() {
      const wanted = { name: name.value.trim(), note: note.value, groups: groups.value.split(",").map((one) => one.trim()).filter(Boolean) };

      await patch(at, wanted, person.tag ? { "If-Match": person.tag } : {});
    },
  });
  if (done) {
    tell(text.saved);
    again();
  }
}

async function merge(person, at, again, signal) {
  const picker = personPicker({ label: words.other, without: person.person, signal });
  const done = await ask({
    title: words.mergeTitle,
    content: h("div.stack", h("p", spliced(words.mergeWhat, { name: named(person.name) })), picker.element),
    label: words.merge,
    done() {
      const other = picker.value();
      if (!other) throw new Told(words.chooseOther);
      return post(`${at}/merge`, { person: other.person });
    },
  });
  if (done) {
    tell(words.merged, done.undo, again);
    again();
  }
}
