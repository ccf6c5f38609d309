// Questions that stand in front of the page until they are answered.

import { button, h, newId } from "./dom.js";
import { fail } from "./notices.js";
import { text } from "./strings.js";

/** A dialog. content: elements. done: what the button does, may fail; its answer ends the dialog. Esc cancels: null. */
export function ask({ title, content, label, done, danger = false, only = false }) {
  const id = newId("title");
  return new Promise((answer) => {
    let given = null;
    const wrong = h("div", { "aria-live": "assertive" });
    const yes = h(danger ? "button.danger" : "button.primary", { type: "submit" }, label);
    const form = h("form.stack", { method: "dialog" }, h("h2", { id }, title), content, wrong,
      h("div.row.last", only ? null : button(text.cancel, () => dialog.close()), yes));
    const dialog = h("dialog", { "aria-labelledby": id }, form);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      yes.disabled = true;
      try {
        given = (await done()) ?? true;
        dialog.close();
      } catch (error) {
        wrong.replaceChildren(fail(error));
      } finally {
        yes.disabled = false;
      }
    });
    const before = document.activeElement;
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      answer(given);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
