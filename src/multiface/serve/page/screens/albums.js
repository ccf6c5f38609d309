// Folders of photos, and the photos in them: by who is on them and when.

import { get, id, left, post, remove } from "../api.js";
import { ask } from "../dialogs.js";
import { button, day, fill, h, icon, minute, named, newId, number } from "../dom.js";
import { follow, run } from "../jobs.js";
import { fail, tell } from "../notices.js";
import { personPicker } from "../picker.js";
import { text } from "../strings.js";
import { thumb } from "../thumbs.js";

const words = text.albums;
const PAGE = 60;
const MONTH = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });

export async function show({ place, title, signal, may, query }) {
  const folders = h("section.card.stack", h("h2", words.folders), h("p.busy", text.loading));
  const job = h("div");
  const chosen = [];
  const chips = h("ul.plain.row", { "aria-label": words.chosen });
  const picker = personPicker({ label: words.who, signal, chosen: (one) => {
    picker.field.value = "";
    add(one);
  } });
  const how = radios(words.how, [["all", words.all], ["any", words.any], ["only", words.only]]);
  const unknown = h("input", { type: "checkbox", id: newId("unknown") });
  const [since, until] = [h("input", { type: "date", id: newId("since") }), h("input", { type: "date", id: newId("until") })];
  const form = h("section.card.stack", h("h2", words.find), h("div.row.end", picker.element), chips, how.element,
    h("div.row.end", h("div.field", h("label", { for: since.id }, words.since), since), h("div.field", h("label", { for: until.id }, words.until), until),
      h("label.check", unknown, words.unknown)));
  const told = h("p.soft", { role: "status" });
  const found = h("div");
  const more = button(words.more, () => load(cursor), { hidden: true });
  let cursor = null, asking = new AbortController(), month = null, shown = 0;

  fill(place, h("div.head", title(words.title), h("div.row",
    may("admin") ? button(words.add, addFolder, { class: "primary" }, icon("albums")) : null,
    may("admin") ? button(words.names, writeNames, icon("download")) : null)), job, h("div.two", form, folders), told, found, h("div.row", more));

  function radios(legend, choices) {
    const group = newId("how");
    const element = h("fieldset", h("legend", legend), h("div.row", choices.map(([value, label], k) => h("label.check", h("input", { type: "radio", name: group, value, checked: k === 0, onchange: () => load() }), label))));
    return { element, value: () => element.querySelector(":checked").value };
  }

  function add(one) {
    if (!chosen.some((each) => each.person === one.person)) chosen.push(one);
    drawChips();
    load();
  }
  function drawChips() {
    fill(chips, chosen.map((one) => h("li", h("span.tag", named(one.name), button("", () => {
      chosen.splice(chosen.indexOf(one), 1);
      drawChips();
      picker.field.focus();
      load();
    }, { "aria-label": words.without(one.name) }, icon("close"))))));
    how.element.disabled = chosen.length === 0;
  }

  async function load(from = null) {
    if (from === null) {
      asking.abort();
      asking = new AbortController();
    }
    const mine = asking;
    try {
      const page = await get("/v1/photos", { person: chosen.map((one) => one.person), any: how.value() === "any" || null, only: how.value() === "only" || null,
        unknown: unknown.checked || null, since: since.value, until: until.value, limit: PAGE, cursor: from }, mine.signal);
      if (mine.signal.aborted) return;
      if (from === null) {
        fill(found);
        month = null;
        shown = 0;
      }
      for (const one of page.photos) {
        const its = one.taken ? MONTH.format(new Date(one.taken)) : words.noDate;
        if (its !== month) found.append(h("h2", its), h("ul.photos"));
        month = its;
        found.lastElementChild.append(h("li", photo(one)));
      }
      shown += page.photos.length;
      cursor = page.next;
      more.hidden = cursor === null;
      told.textContent = shown ? words.shown(number(shown), cursor !== null) : "";
      if (shown === 0) fill(found, h("div.empty", icon("albums"), h("p", chosen.length || unknown.checked || since.value || until.value ? words.noneFound : words.none)));
    } catch (error) {
      if (!left(error) && !signal.aborted) fill(found, fail(error, () => load(from)));
    }
  }

  function photo(one) {
    const who = one.faces.map((face) => face.name).filter(Boolean);
    const alt = one.film ? words.film(day(one.taken), who.join(", ")) : words.alt(day(one.taken), who.join(", "), one.faces.length - who.length);
    return thumb(one, alt, chosen[0]?.person);
  }

  async function list() {
    try {
      const { albums } = await get("/v1/albums", {}, signal);
      fill(folders, h("h2", words.folders), albums.length === 0 ? h("p.soft", words.noFolders) : h("ul.plain.lines", albums.map((one) =>
        h("li.stack", h("div", h("bdi", one.folder)), h("small", words.counts(number(one.photos), number(one.films)), one.scanned ? ` · ${words.scanned(minute(one.scanned))}` : ""),
          h("div.row", may("admin") ? button(words.scan, () => run(job, `/v1/albums/${id(one.album)}/scan`, undefined, words.scanning, scanned, signal), icon("search")) : null,
            may("admin") ? button(words.forget, () => forget(one), { class: "plain" }, icon("trash")) : null)))));
    } catch (error) {
      if (!left(error)) fill(folders, h("h2", words.folders), fail(error, list));
    }
  }
  function scanned(one) {
    tell(words.done(one.result));
    list();
    load();
  }
  async function addFolder() {
    const field = h("input", { id: newId("folder"), required: true, maxlength: 4000, spellcheck: "false" });
    const made = await ask({ title: words.add, label: words.add, done: () => post("/v1/albums", { folder: field.value.trim() }),
      content: h("div.field", h("label", { for: field.id }, words.folder), field, h("small", words.folderHow)) });
    if (made) follow(job, made, words.scanning, scanned, signal);
  }
  async function forget(one) {
    const gone = await ask({ title: words.forget, danger: true, label: words.forget, content: h("p", words.forgetWhat(one.folder)), done: () => remove(`/v1/albums/${id(one.album)}`) });
    if (gone) {
      list();
      load();
    }
  }
  async function writeNames() {
    const yes = await ask({ title: words.names, label: words.names, content: h("p", words.namesWhat), done: () => true });
    if (yes) run(job, "/v1/photos/names", undefined, words.writing, (one) => tell(words.written(one.result)), signal);
  }
  for (const one of [unknown, since, until]) one.addEventListener("change", () => load());
  signal.addEventListener("abort", () => asking.abort());
  drawChips();
  if (query.get("person")) {
    const one = await get(`/v1/people/${id(query.get("person"))}`, {}, signal);
    chosen.push(one);
    drawChips();
  }
  if (!may("admin")) folders.remove();
  await Promise.all([may("admin") ? list() : null, load()]);
}
