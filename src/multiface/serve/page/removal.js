// A person is removed for good: first what is kept is listed, then it is asked, then it is done.

import { get, id, remove } from "./api.js";
import { ask } from "./dialogs.js";
import { h, icon, named, number, spliced } from "./dom.js";
import { tell } from "./notices.js";
import { text } from "./strings.js";

const words = text.removal;

/** Ask and remove. gone: called afterwards. */
export async function removePerson(person, gone) {
  const places = await kept(person);
  const sure = h("input", { type: "checkbox", required: true });
  const done = await ask({
    title: words.title,
    content: h("div.stack", h("p", spliced(words.what, { name: named(person.name) })), places,
      h("div.note.warn", icon("warn"), h("p", words.final)), h("label.check", sure, words.sure)),
    label: words.remove,
    danger: true,
    done: () => remove(`/v1/people/${id(person.person)}`),
  });
  if (done) {
    tell(words.done);
    gone();
  }
}

/** A list of what is kept of a person, where, and until when. */
export async function kept(person) {
  try {
    const { places } = await get(`/v1/people/${id(person.person)}/kept`);
    if (places.every((one) => one.count === 0)) return h("p.soft", words.nothing);
    return h("ul", places.filter((one) => one.count > 0).map((one) => h("li", words.place(words.places[one.place] ?? one.place, number(one.count)),
      one.days ? h("small", ` ${words.days(one.days)}`) : null)));
  } catch {
    return h("ul", h("li", words.place(words.places.templates, number(person.templates))));
  }
}
