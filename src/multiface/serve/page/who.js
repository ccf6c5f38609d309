// "Who is it?" in front of the page: a person who is known, or a new one.

import { ask } from "./dialogs.js";
import { h } from "./dom.js";
import { Told } from "./notices.js";
import { personPicker } from "./picker.js";
import { text } from "./strings.js";

/**
 * Ask who somebody is. first: people offered at once; beside: an element; hint: words below. done: called with
 * {person} or {name, another} as the service takes them, and the name; what it answers is the answer.
 */
export function askWho({ title, done, first = [], without = null, beside = null, hint = null, signal }) {
  const picker = personPicker({ label: text.picker.name, fresh: true, first, without, signal });
  return ask({
    title,
    content: h("div.stack", h("div.row", beside, picker.element), hint ? h("small", hint) : null),
    label: text.save,
    done() {
      const who = picker.value();
      if (!who) throw new Told(text.picker.nobody);
      return done(who.person ? { person: who.person } : { name: who.name, another: who.fresh ?? false }, who.name);
    },
  });
}

/** Somebody near, to be offered first. */
export const offered = (near) => ({ ...near, note: text.picker.alike(near.similarity.toFixed(3)) });
