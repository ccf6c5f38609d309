// Unknown people, most seen first: named, merged, ignored, taken apart; by keyboard alone.

import { get, id, left, patch, post } from "../api.js";
import { crop, strip } from "../crops.js";
import { ask } from "../dialogs.js";
import { button, fill, h, icon, minute, named, number, spliced } from "../dom.js";
import { attempt, fail, tell, undoLast } from "../notices.js";
import { text } from "../strings.js";
import { askWho, offered } from "../who.js";

const words = text.review;
const PAGE = 50;
const SHOWN = 60;
const keysOn = () => localStorage.getItem("review keys") !== "off";

export async function show(context) {
  const { place, title, signal, may } = context;
  const write = may("people:write");
  const state = { strangers: [], next: null, at: 0, ignored: false, singles: false };
  const list = h("ul.strangers", { "aria-label": words.list });
  const stage = h("section.card.stack", { "aria-live": "polite" });
  const tabs = h("div.row", { role: "group", "aria-label": words.which },
    tab(words.groups, () => choose(false, false), true), tab(words.singles, () => choose(false, true)), tab(words.ignored, () => choose(true, false)));
  const body = h("div");
  fill(place, h("div.head", title(words.title), h("div.row", button(words.keys, keys, { class: "plain" }, h("kbd", "?")))), h("p.lead", words.lead), tabs, body);

  function tab(label, onclick, pressed = false) {
    return button(label, (event) => {
      for (const one of tabs.children) one.setAttribute("aria-pressed", String(one === event.currentTarget));
      onclick();
    }, { "aria-pressed": String(pressed) });
  }
  async function choose(ignored, singles) {
    Object.assign(state, { ignored, singles, at: 0 });
    await load();
  }

  let turn = 0;
  async function load(at = 0) {
    // Only the answer to what was asked last is drawn.
    const mine = ++turn;
    try {
      if (state.singles) {
        const page = await get("/v1/strangers/singles", { limit: 100 }, signal);
        if (mine === turn) singles(page);
        return;
      }
      const page = await get("/v1/strangers", { limit: PAGE, ignored: state.ignored, faces: SHOWN }, signal);
      if (mine !== turn) return;
      Object.assign(state, { strangers: page.strangers, next: page.next, at: Math.max(0, Math.min(at, page.strangers.length - 1)) });
      draw();
    } catch (error) {
      if (!left(error)) fill(body, fail(error, () => load(at)));
    }
  }

  function draw() {
    if (state.strangers.length === 0) {
      fill(body, h("div.empty", icon("check"), h("p", state.ignored ? words.noneIgnored : words.none)));
      return;
    }
    const crops = [];
    fill(list, state.strangers.map((one, k) => {
      const picture = faceCrop(one.faces[0], one, crops);
      return h("li", button(h("span", words.stranger(one.stranger), h("br"), h("small", words.sightings(one.sightings))), () => go(k, true), { "aria-current": k === state.at ? "true" : null }, picture));
    }), state.next === null ? null : h("li", button(words.more, more)));
    fill(body, h("div.two", stage, list));
    if (may("pictures:read")) strip("faces", crops, signal);
    present();
  }

  function faceCrop(face, one, crops, size = "small") {
    const picture = crop("?", size);
    if (face) crops.push([face.face, picture]);
    else if (one && may("pictures:read")) {
      picture.textContent = "";
      picture.style.backgroundImage = `url("/v1/strangers/${one.stranger}/picture")`;
      picture.style.backgroundSize = "cover";
    }
    return picture;
  }

  async function more() {
    await attempt(async () => {
      const page = await get("/v1/strangers", { limit: PAGE, cursor: state.next, ignored: state.ignored, faces: SHOWN }, signal);
      state.strangers.push(...page.strangers);
      state.next = page.next;
      draw();
    });
  }

  function go(at, focus = false) {
    if (at < 0 || at >= state.strangers.length) return;
    state.at = at;
    [...list.querySelectorAll("button")].forEach((one, k) => (k === at ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current")));
    list.querySelectorAll("button")[at]?.scrollIntoView({ block: "nearest", inline: "nearest" });
    present();
    if (focus) stage.querySelector("h2").focus();
  }

  const current = () => state.strangers[state.at];
  const chosen = () => [...stage.querySelectorAll(".pick[aria-pressed=true]")].map((one) => Number(one.dataset.face));

  function present() {
    const one = current();
    const near = one.near;
    const crops = [];
    const faces = one.faces.map((face, k) => {
      const picture = faceCrop(face, null, crops, "");
      const pick = h("button.pick", { type: "button", "aria-pressed": "false", "data-face": face.face, "aria-label": words.face(k + 1),
        onclick: () => {
          pick.setAttribute("aria-pressed", String(pick.getAttribute("aria-pressed") !== "true"));
          apart.disabled = !(chosen().length && chosen().length < one.all_faces);
        } }, picture);
      return h("li", pick, h("a", { href: `#/photo/${id(face.photo)}` }, h("small", words.photo)));
    });
    const act = (label, key, what, drawing, more_ = {}) => {
      const one_ = button(label, what, { "aria-keyshortcuts": key, ...more_ }, icon(drawing));
      one_.append(h("kbd", { "aria-hidden": "true" }, key));
      return one_;
    };
    const apart = act(words.apart, "S", split, "merge", { disabled: true });
    fill(stage, h("h2", { tabindex: -1 }, words.stranger(one.stranger)),
      h("p.soft", words.seen(number(one.sightings), minute(one.first_seen), minute(one.last_seen))),
      faces.length ? [h("ul.faces", faces), one.all_faces > faces.length ? h("p.soft", words.andMore(number(one.all_faces - faces.length))) : null] : h("div.row", faceCrop(null, one, crops, "large")),
      near ? h("div.note", icon("person"), h("div.stack", h("p", spliced(words.near, { name: named(near.name), similarity: near.similarity.toFixed(3), wanted: near.wanted.toFixed(3) })),
        write ? h("div.row", act(words.itIs, "B", isNear, "check", { class: "primary" }), one.faces.length ? act(words.itIsNot, "X", notNear, "close") : null) : null)) : null,
      write ? h("div.row", act(words.name, "N", name, "edit", { class: near ? "" : "primary" }), act(words.merge, "M", merge, "merge"),
        act(state.ignored ? words.unignore : words.ignore, "I", ignore, "hide"), one.all_faces > 1 ? apart : null) : null,
      one.all_faces > 1 && write ? h("small", words.apartHow) : null);
    if (may("pictures:read")) strip("faces", crops, signal);
  }

  /** Do something with the stranger that is shown. */
  async function done(what, sentence) {
    const at = state.at;
    const answer = await attempt(what);
    if (answer !== undefined) await after(answer, sentence(answer), at);
  }

  const isNear = () => current()?.near && done(() => post(`/v1/strangers/${current().stranger}/name`, { person: current().near.person }), (answer) => words.named(answer.name));
  const ignore = () => current() && done(() => post(`/v1/strangers/${current().stranger}/ignore`, { ignored: !state.ignored }), () => (state.ignored ? words.unignored : words.ignoredNow));
  const notNear = () => current()?.near && current().faces.length && done(async () => {
    const { near, stranger } = current();
    const all = await get(`/v1/strangers/${stranger}`, {}, signal);
    return post("/v1/faces/not", { faces: all.faces.map((face) => face.face), person: near.person });
  }, () => words.notNear);
  const split = () => chosen().length && chosen().length < current().all_faces && done(() => post(`/v1/strangers/${current().stranger}/split`, { faces: chosen() }), (answer) => words.split(answer.stranger));

  async function name() {
    const one = current();
    const at = state.at;
    const answer = await askWho({ title: words.nameTitle(one.stranger), first: one.near ? [offered(one.near)] : [], signal, done: (who) => post(`/v1/strangers/${one.stranger}/name`, who) });
    if (answer) await after(answer, words.named(answer.name), at);
  }

  /** Tell what was done; the next one comes in its place. */
  async function after(answer, sentence, at) {
    tell(sentence, answer.undo ?? null, () => load(at));
    await load(at);
    stage.querySelector("h2")?.focus();
  }

  async function merge() {
    const one = current();
    const others = (await attempt(() => get(`/v1/strangers/${one.stranger}/alike`, { faces: 1 }, signal)))?.strangers;
    if (others === undefined) return;
    if (others.length === 0) {
      tell(words.noOther);
      return;
    }
    const crops = [];
    const rows = others.map((each, k) => h("label.check", h("input", { type: "radio", name: "other", value: each.stranger, checked: k === 0 }), faceCrop(each.faces[0], each, crops), words.stranger(each.stranger), h("small", words.sightings(each.sightings))));
    if (may("pictures:read")) strip("faces", crops, signal);
    const choice = h("fieldset.stack", h("legend", words.mergeWith), rows);
    const at = state.at;
    const answer = await ask({ title: words.mergeTitle(one.stranger), content: choice, label: words.merge,
      done: () => post(`/v1/strangers/${one.stranger}/merge`, { stranger: Number(choice.querySelector(":checked").value) }) });
    if (answer) await after(answer, words.merged, at);
  }

  /** Faces that are like no other. */
  function singles(page) {
    if (page.faces.length === 0) {
      fill(body, h("div.empty", icon("check"), h("p", words.noSingles)));
      return;
    }
    const crops = [];
    fill(body, h("ul.grid", page.faces.map((face, k) =>
      h("li", h("div.tile", faceCrop(face, null, crops, ""), h("a", { href: `#/photo/${id(face.photo)}` }, words.photo),
        face.too_poor ? h("small", words.poor) : null,
        write ? h("div.row", button(words.name, () => nameSingle(face, k), {}, icon("edit")), button(words.ignore, () => single(face, { ignored: true }, words.ignoredNow), { class: "plain" }, icon("hide"))) : null)))));
    if (may("pictures:read")) strip("faces", crops, signal);
  }
  async function single(face, body_, sentence) {
    await attempt(async () => {
      const answer = await patch(`/v1/faces/${face.face}`, body_);
      tell(sentence, answer.undo, load);
      await load();
    });
  }
  async function nameSingle(face, k) {
    const answer = await askWho({ title: words.face(k + 1), signal, done: (who) => patch(`/v1/faces/${face.face}`, who) });
    if (!answer) return;
    tell(words.named(answer.name), answer.undo, load);
    load();
  }

  function keys() {
    // Who speaks to the machine, or strikes keys by chance, can switch them off (WCAG 2.1.4).
    const on = h("input", { type: "checkbox", checked: keysOn(), onchange: () => localStorage.setItem("review keys", on.checked ? "on" : "off") });
    ask({ title: words.keys, only: true, label: text.close, done: () => true, content: h("div.stack", h("label.check", on, words.keysOn), h("dl.facts", words.keyList.map(([key, what]) => [h("dt", h("kbd", key)), h("dd", what)]))) });
  }

  const KEYS = { j: () => go(state.at + 1, true), k: () => go(state.at - 1, true), arrowright: () => go(state.at + 1, true), arrowleft: () => go(state.at - 1, true),
    b: write && isNear, n: write && (() => current() && name()), m: write && (() => current() && merge()), i: write && ignore, x: write && notNear, s: write && split, u: undoLast, "?": keys };
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if (!keysOn() && event.key !== "?") return;
    if (state.singles && !["?", "u"].includes(event.key)) return;
    const what = KEYS[event.key.toLowerCase()];
    if (!what) return;
    event.preventDefault();
    what();
  }, { signal });
  fill(body, h("p.busy", text.loading));
  await load();
}
