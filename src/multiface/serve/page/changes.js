// What was done lately, and undone.

import { post } from "./api.js";
import { button, h, icon, minute } from "./dom.js";
import { attempt, tell } from "./notices.js";
import { text } from "./strings.js";

/** A list of changes; write: whether they may be undone here. again: called when one was. */
export function changeList(changes, write, again) {
  if (changes.length === 0) return h("p.soft", text.changes.none);
  return h("ul.plain.lines", changes.map((one) => {
    const what = text.changes[one.kind] ?? one.kind;
    const back = async () => {
      await post(`/v1/changes/${one.change}/undo`);
      tell(text.undone);
      again();
    };
    return h("li.row.spread", h("span", what, " ", h("small", minute(one.made)), one.undone ? h("small", ` · ${text.changes.undone}`) : null),
      one.can_be_undone && write ? button(text.undo, () => attempt(back), { class: "plain", "aria-label": text.changes.undoOf(what, minute(one.made)) }, icon("undo")) : null);
  }));
}
