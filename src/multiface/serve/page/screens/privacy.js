// What is kept of people, for how long; a person exported or removed; what was done lately.

import { get, id, left } from "../api.js";
import { changeList } from "../changes.js";
import { button, fill, h, icon, named } from "../dom.js";
import { attempt, fail, keep } from "../notices.js";
import { personPicker } from "../picker.js";
import { kept, removePerson } from "../removal.js";
import { text } from "../strings.js";

const words = text.privacy;

export async function show({ place, title, signal, may }) {
  const about = h("div.stack");
  const picker = personPicker({ label: words.who, signal, chosen: (one) => one.person && person(one) });
  const log = h("section.card.stack", h("h2", words.log), h("p.busy", text.loading));
  fill(place, h("div.head", title(words.title)), h("div.two.even",
    h("section.card.stack", h("h2", words.one), h("p", words.oneWhat), picker.element, about),
    h("section.card.stack", h("h2", words.kept), h("ul.stack", words.keptList.map((one) => h("li", one))))), log);

  async function person(one) {
    fill(about, h("p.busy", text.loading));
    const whole = await attempt(() => get(`/v1/people/${id(one.person)}`, {}, signal));
    if (!whole) {
      fill(about);
      return;
    }
    fill(about, h("h3", named(whole.name)), await kept(whole), h("div.row",
      may("pictures:read") ? button(words.export, () => attempt(() => keep(`/v1/people/${id(whole.person)}/export`, "person.zip")), {}, icon("download")) : null,
      may("people:write") ? button(words.remove, () => removePerson(whole, () => {
        fill(about);
        picker.field.value = "";
        changes();
      }), { class: "danger" }, icon("trash")) : null));
  }

  async function changes() {
    try {
      const { changes: found } = await get("/v1/changes", { limit: 50 }, signal);
      fill(log, h("h2", words.log), h("p.soft", words.logWhat), changeList(found, may("people:write"), changes));
    } catch (error) {
      if (!left(error)) fill(log, h("h2", words.log), fail(error, changes));
    }
  }
  await changes();
}
