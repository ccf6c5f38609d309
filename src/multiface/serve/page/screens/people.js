// Everybody who is known: a grid by name, searched as one types.

import { get, id, left } from "../api.js";
import { crop, strip } from "../crops.js";
import { button, fill, h, icon, named, number } from "../dom.js";
import { attempt, fail } from "../notices.js";
import { text } from "../strings.js";

const words = text.people;
const PAGE = 60;
const PAUSE = 150;

export async function show({ place, title, signal, may, query }) {
  const grid = h("ul.grid", { "aria-label": words.title });
  const told = h("p.soft", { role: "status" });
  const more = button(words.more, () => next(), { hidden: true });
  const search = h("input", { id: "search", type: "search", autocomplete: "off", dir: "auto", value: query.get("q") ?? "", maxlength: 200 });
  const group = h("select", { id: "group" }, h("option", { value: "" }, words.everybody));
  const groups = h("div.field", { hidden: true }, h("label", { for: "group" }, words.group), group);
  let asking = new AbortController(), cursor = null, shown = 0;

  fill(place, h("div.head", title(words.title), may("people:write") ? h("a.button.primary", { href: "#/enrol" }, icon("enrol"), words.enrol) : null),
    h("div.row.end", h("div.field", h("label", { for: "search" }, words.search), search), groups), told, grid, h("div.row", more));

  async function load(from, mine) {
    const page = await get("/v1/people", { q: search.value.trim(), group: group.value, limit: PAGE, cursor: from }, mine.signal);
    if (mine.signal.aborted) return;
    const crops = [];
    const tiles = page.people.map((one) => {
      const picture = crop(one.name);
      if (one.templates > 0) crops.push([one.person, picture]);
      return h("li", h("a.tile", { href: `#/person/${id(one.person)}` }, picture, named(one.name), h("small", words.pictures(one.templates))));
    });
    if (from === null) {
      grid.replaceChildren(...tiles);
      shown = 0;
    } else grid.append(...tiles);
    shown += tiles.length;
    cursor = page.next;
    more.hidden = cursor === null;
    told.textContent = shown ? words.shown(number(shown), cursor !== null) : "";
    if (shown === 0) grid.replaceChildren(h("li.empty.whole", icon("people"), nobody()));
    if (crops.length && may("pictures:read")) pictures(crops, mine.signal, from === null && search.value !== "");
  }

  /** While somebody types, names come first: the pictures wait for a pause. */
  async function pictures(crops, asked, typing) {
    if (typing) await new Promise((done) => setTimeout(done, PAUSE));
    if (!asked.aborted) strip("people", crops, asked);
  }

  function nobody() {
    const typed = search.value.trim();
    if (!typed) return [h("p", words.empty), may("people:write") ? h("a.button.primary", { href: "#/enrol" }, icon("enrol"), words.enrol) : null];
    return [h("p", words.nobodyCalled, " ", named(typed)), may("people:write") ? h("a.button", { href: `#/enrol?name=${id(typed)}` }, icon("enrol"), words.enrolCalled) : null];
  }

  async function fresh() {
    asking.abort();
    asking = new AbortController();
    const mine = asking;
    try {
      await load(null, mine);
    } catch (error) {
      if (!left(error) && !signal.aborted) grid.replaceChildren(h("li.whole", fail(error, fresh)));
    }
  }

  let loading = false;
  async function next() {
    if (loading || cursor === null) return;
    loading = true;
    more.disabled = true;
    await attempt(() => load(cursor, asking));
    more.disabled = false;
    loading = false;
  }

  search.addEventListener("input", fresh);
  group.addEventListener("change", fresh);
  signal.addEventListener("abort", () => asking.abort());
  const near = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && next(), { rootMargin: "600px" });
  near.observe(more);
  signal.addEventListener("abort", () => near.disconnect());
  get("/v1/groups", {}, signal).then(({ groups: found }) => {
    group.append(...found.map((one) => h("option", { value: one.group }, words.groupOf(one.group, number(one.people)))));
    groups.hidden = found.length === 0;
  }, () => {});
  await fresh();
}
