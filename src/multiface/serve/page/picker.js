// A field for a person: names as one types, the people of the gallery below it (the combobox of ARIA 1.2).

import { get, left } from "./api.js";
import { h, named, newId } from "./dom.js";
import { text } from "./strings.js";

/**
 * label: of the field. fresh: whether a name that nobody has is meant too. chosen: called with {person, name}; of a new
 * person, person is null. first: people offered before anything is typed. Returns element, field and value().
 */
export function personPicker({ label, fresh = false, chosen = () => {}, first = [], without = null, value = "", signal }) {
  const id = newId("picker");
  let people = [], at = -1, now = null, asking = null;
  const input = h("input", {
    id, type: "text", role: "combobox", autocomplete: "off", dir: "auto", value, spellcheck: "false", maxlength: 200,
    "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list",
  });
  const list = h("ul.choices", { id: `${id}-list`, role: "listbox", "aria-label": text.picker.list, hidden: true });
  const element = h("div.field", h("label", { for: id }, label), h("div.picker", input, list));

  const drawn = () => JSON.stringify(people.map((one) => [one.person, one.name, one.templates, one.again]));
  const shut = () => {
    // An answer that is still on its way opens nothing.
    asking?.abort();
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const take = (one) => {
    now = one;
    input.value = one.name;
    shut();
    chosen(one);
  };
  const mark = (next) => {
    at = next;
    [...list.children].forEach((row, k) => row.setAttribute("aria-selected", String(k === at)));
    const row = list.children[at];
    if (row) {
      input.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const draw = (found) => {
    const marked = people[at], before = drawn();
    people = found.filter((one) => one.person === null || one.person !== without);
    const typed = input.value.trim();
    if (fresh && typed) people.push({ person: null, name: typed, fresh: true, again: people.some((one) => one.name === typed) });
    // What would look the same stays, so that a click on it is not lost.
    if (drawn() !== before || list.children.length !== people.length) list.replaceChildren(...people.map((one, k) => h("li", { role: "option", id: `${id}-${k}`, "aria-selected": "false",
      onpointerdown: (event) => event.preventDefault(), onclick: () => take(people[k]) },
      named(one.name), one.person === null ? h("small", one.again ? text.picker.again : text.picker.fresh) : h("small", one.note ?? (one.templates === undefined ? "" : text.people.pictures(one.templates))))));
    list.hidden = people.length === 0;
    input.setAttribute("aria-expanded", String(people.length > 0));
    // An answer that comes late does not move the mark from the one that was meant.
    mark(marked ? people.findIndex((one) => one.person === marked.person && one.name === marked.name) : -1);
  };
  const search = async () => {
    now = null;
    asking?.abort();
    const typed = input.value.trim();
    if (!typed) {
      if (first.length) draw(first);
      else shut();
      return;
    }
    // What is known already is narrowed at once: nobody chooses from a list for other letters.
    const same = typed.toLocaleLowerCase();
    draw(people.filter((one) => one.person !== null && one.name.toLocaleLowerCase().includes(same)));
    const mine = (asking = new AbortController());
    try {
      const page = await get("/v1/people", { q: typed, limit: 8 }, mine.signal);
      if (!mine.signal.aborted && document.activeElement === input) draw(page.people);
    } catch (error) {
      if (!left(error)) draw([]);
    }
  };
  input.addEventListener("input", search);
  input.addEventListener("focus", () => {
    if (!input.value.trim() && first.length) draw(first);
  });
  input.addEventListener("blur", shut);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) search();
      else mark((at + (event.key === "ArrowDown" ? 1 : people.length + (at < 0 ? 0 : -1))) % people.length);
      event.preventDefault();
    } else if (event.key === "Enter" && !list.hidden && at >= 0) {
      take(people[at]);
      event.preventDefault();
    } else if (event.key === "Escape" && !list.hidden) {
      shut();
      event.preventDefault();
      event.stopPropagation();
    }
  });
  signal?.addEventListener("abort", () => asking?.abort());
  return {
    element,
    field: input,
    /**
     * {person, name} as chosen or typed; null where nothing is meant. Names typed to the letter count as chosen. fresh:
     * a new person was chosen, whoever else has the name.
     */
    value() {
      const typed = input.value.trim();
      if (now && now.name === typed) return now;
      const same = people.filter((one) => one.person !== null && one.name === typed);
      if (same.length === 1) return same[0];
      return fresh && typed ? { person: null, name: typed } : null;
    },
  };
}
