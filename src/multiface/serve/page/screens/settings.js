// Keys, settings and where each comes from, backup, the system; signing out.

import { get, id, left, post, remove } from "../api.js";
import { ask } from "../dialogs.js";
import { button, day, fill, h, icon, minute, newId, number } from "../dom.js";
import { run } from "../jobs.js";
import { attempt, fail, tell } from "../notices.js";
import { text } from "../strings.js";

const words = text.settings;
const SCOPES = ["recognise", "people:read", "people:write", "pictures:read", "events:read", "cameras", "embed", "admin"];

export async function show({ place, title, signal, may, session, signOut }) {
  const admin = may("admin");
  const keys = h("section.card.stack"), system = h("section.card.stack"), job = h("div");
  fill(place, h("div.head", title(words.title)),
    h("section.card.stack", h("h2", words.session), session.name === null ? h("p", words.open) : [
      h("p", words.signedIn(session.name, minute(session.expires))), h("p.soft", words.may, " ", session.scopes.map((one) => words.scopes[one] ?? one).join(", ")),
      h("div", button(words.signOut, () => attempt(signOut), icon("out")))]),
    admin ? [keys, h("section.card.stack", h("h2", words.backup), h("p", words.backupWhat), job, h("div", button(words.backupNow, () =>
      run(job, "/v1/backup", undefined, words.backingUp, (one) => fill(job, h("a.button.primary", { href: one.result.download, download: "" }, icon("download"), words.download)), signal), icon("download")))), system] : null);
  if (!admin) return;
  await Promise.all([loadKeys(), loadSystem()]);

  async function loadKeys() {
    try {
      const { keys: found } = await get("/v1/keys", {}, signal);
      fill(keys, h("div.row.spread", h("h2", words.keys), button(words.newKey, newKey, icon("key"))), h("p.soft", words.keysWhat), found.length === 0 ? h("p.soft", words.noKeys) :
        h("ul.plain.lines", found.map((one) => h("li.row.spread", h("div", h("strong", h("bdi", one.name)), " ", h("small", h("code", one.id)), h("br"),
          h("small", one.scopes.map((each) => words.scopes[each] ?? each).join(", "), " · ", one.used ? words.used(minute(one.used)) : words.neverUsed,
            one.revoked ? ` · ${words.revokedAt(day(one.revoked))}` : one.expires ? ` · ${words.expires(day(one.expires))}` : "")),
          one.revoked ? null : button(words.revoke, () => revoke(one), { class: "plain", "aria-label": words.revokeOf(one.name) }, icon("close"))))));
    } catch (error) {
      if (!left(error)) fill(keys, h("h2", words.keys), fail(error, loadKeys));
    }
  }

  async function newKey() {
    const name = h("input", { id: newId("name"), required: true, maxlength: 200, dir: "auto" });
    const days = h("input", { id: newId("days"), type: "number", min: 1, max: 36500, inputmode: "numeric" });
    const scopes = h("fieldset", h("legend", words.for), SCOPES.map((one) => h("label.check", h("input", { type: "checkbox", value: one, checked: one === "recognise" }), words.scopes[one], " ", h("code", one))));
    const groups = h("input", { id: newId("groups"), dir: "auto" });
    const made = await ask({ title: words.newKey, label: words.make,
      content: h("div.stack", h("div.field", h("label", { for: name.id }, words.keyName), name), scopes, h("div.field", h("label", { for: days.id }, words.days), days),
        h("div.field", h("label", { for: groups.id }, words.groups), groups, h("small", words.groupsHow))),
      done: () => post("/v1/keys", { name: name.value.trim(), scopes: [...scopes.querySelectorAll(":checked")].map((one) => one.value), days: days.value ? Number(days.value) : null,
        groups: groups.value.split(",").map((one) => one.trim()).filter(Boolean) }) });
    if (!made) return;
    loadKeys();
    const shown = h("input", { id: newId("key"), readonly: true, value: made.key });
    await ask({ title: words.once, only: true, label: words.noted, done: () => true, content: h("div.stack", h("p", words.onceWhat), h("div.field", h("label", { for: shown.id }, words.key), shown),
      h("div", button(words.copy, async () => tell(await copied(shown)), icon("key")))) });
  }
  async function copied(field) {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      return words.copied;
    } catch {
      return words.notCopied;
    }
  }
  async function revoke(one) {
    if (await ask({ title: words.revokeOf(one.name), danger: true, label: words.revoke, content: h("p", words.revokeWhat), done: () => remove(`/v1/keys/${id(one.id)}`) })) loadKeys();
  }

  async function loadSystem() {
    try {
      const now = await get("/v1/system", {}, signal);
      const facts = ["version", "gallery", "weights", "detector", "people", "templates", "strangers", "faces", "photos", "rate"].filter((one) => now[one] !== undefined && now[one] !== null);
      fill(system, h("h2", words.system), now.read_only ? h("div.note", icon("privacy"), h("p", words.readOnly)) : null,
        h("dl.facts", facts.map((one) => [h("dt", words.facts[one]), h("dd", typeof now[one] === "number" && one !== "rate" ? number(now[one]) : String(now[one]))])),
        h("h3", words.chosen), h("div.wide", { tabindex: 0, role: "region", "aria-label": words.chosen }, h("table", h("thead", h("tr", words.columns.map((one) => h("th", { scope: "col" }, one)))),
          h("tbody", (now.settings ?? []).map((one) => h("tr", h("td", one.name), h("td", one.value === null ? "–" : [one.value].flat().join(", ") || "–")))))));
    } catch (error) {
      if (!left(error)) fill(system, h("h2", words.system), fail(error, loadSystem));
    }
  }
}
