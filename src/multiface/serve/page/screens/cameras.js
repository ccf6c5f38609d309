// Cameras and what they see, as it happens.

import { get, id, left, patch, post, remove } from "../api.js";
import { ask } from "../dialogs.js";
import { button, clock, fill, h, icon, minute, named, newId, spliced } from "../dom.js";
import { attempt, fail, tell } from "../notices.js";
import { text } from "../strings.js";

const words = text.cameras;
const KEPT = 200;

export async function show({ place, title, signal, may }) {
  const cameras = h("section.card.stack", h("h2", words.cameras), h("p.busy", text.loading));
  const alarm = h("div", { role: "alert" });
  const list = h("ol.plain.lines");
  const live = h("span.state.waiting", { role: "status" }, words.connecting);
  const onlyUnknown = h("input", { type: "checkbox", onchange: filter });
  const events = h("section.card.stack", h("div.row.spread", h("h2", words.events), live), h("label.check", onlyUnknown, words.onlyUnknown), list);
  let known = new Map(), states = new Map(), seen = 0;
  fill(place, h("div.head", title(words.title), may("admin") ? button(words.add, () => edit(null), { class: "primary" }, icon("cameras")) : null), alarm,
    h("div.two", may("events:read") ? events : h("p.soft", words.noEvents), cameras));

  async function load() {
    try {
      const { cameras: found } = await get("/v1/cameras", {}, signal);
      states = new Map();
      known = new Map(found.map((one) => [one.camera, one]));
      fill(cameras, h("h2", words.cameras), found.length === 0 ? h("div.empty", icon("cameras"), h("p", words.none)) : h("ul.plain.lines", found.map(row)));
    } catch (error) {
      if (!left(error)) fill(cameras, h("h2", words.cameras), fail(error, load));
    }
  }

  async function refresh() {
    const { cameras: found } = await get("/v1/cameras", {}, signal).catch(() => ({ cameras: [] }));
    for (const one of found) states.get(one.camera)?.(one);
  }

  function row(one) {
    const state = h("span.state"), why = h("small");
    const say = (now) => {
      state.className = `state ${now.state}`;
      state.textContent = words.states[now.state] ?? now.state;
      why.textContent = [now.detail, now.webhook_problem && words.webhookProblem(now.webhook_problem)].filter(Boolean).join(" · ");
    };
    say(one);
    states.set(one.camera, say);
    const at = `/v1/cameras/${id(one.camera)}`;
    const alert = h("input", { type: "checkbox", checked: one.unknown_alert, disabled: !may("cameras"), onchange: () => attempt(async () => {
      await patch(at, { unknown_alert: alert.checked });
      one.unknown_alert = alert.checked;
      tell(alert.checked ? words.alertOn : words.alertOff);
    }) });
    return h("li.stack", h("div.row.spread", h("h3", h("bdi", one.name)), state), why,
      h("small", [words.since(minute(one.since)), one.webhook && `${words.webhook} ${one.webhook}`, one.keep_strangers && words.keeps(one.keep_strangers)].filter(Boolean).join(" · ")),
      h("label.check", alert, words.alert),
      may("cameras") ? h("div.row", button(one.paused ? words.goOn : words.pause, () => attempt(() => patch(at, { paused: !one.paused }).then(load)))) : null,
      may("admin") ? h("div.row", button(words.edit, () => edit(one), {}, icon("edit")), button(words.remove, () => gone(one, at), { class: "plain" }, icon("trash"))) : null);
  }

  async function edit(one) {
    const fields = ["name", "source", "password", "webhook", "keep_strangers"].map((name) => h("input", { id: newId(name), name, maxlength: 2000,
      type: { password: "password", keep_strangers: "number" }[name] ?? "text", autocomplete: name === "password" ? "new-password" : "off", spellcheck: "false", dir: "auto", min: 1,
      required: name === "name" || (name === "source" && !one), value: /name|keep/.test(name) ? (one?.[name] ?? "") : "", placeholder: one?.[name] ?? "" }));
    const quiet = h("input", { type: "checkbox" });
    const done = await ask({ title: one ? words.edit : words.add, label: text.save,
      content: h("div.stack", fields.map((field) => h("div.field", h("label", { for: field.id }, words.fields[field.name]), field, words.hints[field.name] ? h("small", words.hints[field.name]) : null)),
        one?.webhook ? h("label.check", quiet, words.noWebhook) : null),
      done() {
        const wanted = Object.fromEntries(fields.filter((field) => field.value.trim()).map((field) => [field.name, field.value.trim()]));
        wanted.keep_strangers = Number(wanted.keep_strangers) || null;
        if (quiet.checked) wanted.webhook = null;
        return one ? patch(`/v1/cameras/${id(one.camera)}`, wanted) : post("/v1/cameras", wanted);
      } });
    if (done) load();
  }
  async function gone(one, at) {
    if (await ask({ title: words.remove, danger: true, label: words.remove, content: h("p", words.removeWhat(one.name)), done: () => remove(at) })) load();
  }

  function line(event, fresh) {
    const camera = known.get(event.camera)?.name ?? event.camera;
    const who = event.name ? (event.person ? h("a", { href: `#/person/${id(event.person)}` }, named(event.name)) : named(event.name)) : event.stranger ? words.stranger(event.stranger) : text.unknown;
    return h(`li.row${fresh ? ".fresh" : ""}`, { "data-known": event.name ? "1" : "0" }, h("small", h("time", { datetime: event.time }, clock(event.time))),
      h("span", spliced(words.kinds[event.event] ?? words.kinds.other, { who, camera: h("bdi", camera) })));
  }
  function filter() {
    for (const one of list.children) one.hidden = onlyUnknown.checked && one.dataset.known === "1";
  }
  function add(event, fresh) {
    if (event.number <= seen) return;
    seen = event.number;
    list.prepend(line(event, fresh));
    while (list.children.length > KEPT) list.lastElementChild.remove();
    filter();
    if (fresh && !event.name && event.event === "unknown" && known.get(event.camera)?.unknown_alert)
      fill(alarm, h("div.note.warn", icon("bell"), h("p", spliced(words.somebody, { camera: h("bdi", known.get(event.camera).name), when: clock(event.time) })),
        button("", () => fill(alarm), { class: "square plain", "aria-label": text.close }, icon("close"))));
  }

  function listen() {
    const source = new EventSource(`/v1/events/stream?after=${seen}`);
    signal.addEventListener("abort", () => source.close());
    source.onopen = () => state("running", words.live);
    source.onerror = () => state(source.readyState === EventSource.CLOSED ? "stopped" : "waiting", source.readyState === EventSource.CLOSED ? words.ended : words.connecting);
    const got = (event) => {
      const one = JSON.parse(event.data);
      add({ number: Number(event.lastEventId), ...one }, true);
    };
    source.onmessage = got;
    for (const kind of ["event", ...Object.keys(words.kinds)]) source.addEventListener(kind, got);
  }
  function state(kind, sentence) {
    live.className = `state ${kind}`;
    live.textContent = sentence;
  }

  await load();
  const again = setInterval(refresh, 3000);
  signal.addEventListener("abort", () => clearInterval(again));
  if (!may("events:read")) return;
  try {
    const { events: before } = await get("/v1/events", { limit: 50, latest: true }, signal);
    for (const one of before) add(one, false);
    if (before.length === 0) fill(list);
    listen();
  } catch (error) {
    if (!left(error)) fill(list, h("li", fail(error)));
  }
}
