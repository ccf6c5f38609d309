// Sign in with a key; who has a link never sees this.

import { post } from "../api.js";
import { fill, h } from "../dom.js";
import { fail } from "../notices.js";
import { text } from "../strings.js";

export function show({ place, problem, done }) {
  const words = text.signIn;
  const wrong = h("div");
  const field = h("input", { id: "key", type: "password", autocomplete: "current-password", required: true, maxlength: 200, spellcheck: "false" });
  const yes = h("button.primary", { type: "submit" }, words.enter);
  const form = h("form.card.stack", h("div.field", h("label", { for: "key" }, words.key), field, h("small", words.where)), yes, wrong);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    yes.disabled = true;
    try {
      done(await post("/v1/session", { key: field.value.trim() }));
    } catch (error) {
      fill(wrong, fail(error));
      field.setAttribute("aria-invalid", "true");
      field.focus();
    } finally {
      yes.disabled = false;
    }
  });
  fill(place, h("div.stack.sign-in", h("img", { src: new URL("../icon.svg", import.meta.url).pathname, alt: "", width: 56, height: 56 }),
    h("h1", { tabindex: -1 }, words.title), problem ? fail(problem) : null, h("p", words.link), form));
  field.focus();
}
