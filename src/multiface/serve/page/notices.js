// What is told at the foot of the page, with a way back where there is one; and errors in the place of what failed.

import { Problem, blob, post } from "./api.js";
import { button, h, icon, letGo } from "./dom.js";
import { text } from "./strings.js";

/** An error that the page itself finds, with words for people. */
export class Told extends Error {}

const place = document.getElementById("notices");
let undoing = null;

/** Tell something. undo: the id of a change; again: called when it was undone. */
export function tell(words, undo = null, again = null) {
  const notice = h("div.notice", h("span", words));
  const gone = () => {
    notice.remove();
    if (undoing === back) undoing = null;
  };
  const back = async () => {
    gone();
    try {
      await post(`/v1/changes/${undo}/undo`);
      tell(text.undone);
      again?.();
    } catch (error) {
      tell(said(error));
    }
  };
  if (undo !== null && undo !== undefined) {
    undoing = back;
    notice.append(button(text.undo, back, icon("undo")));
  }
  notice.append(button("", gone, { class: "square", "aria-label": text.close }, icon("close")));
  while (place.children.length > 2) place.firstElementChild.remove();
  place.append(notice);
  // Who reads slowly can hold it by pointing at it; what can be undone stays until the next thing is told.
  if (undo === null || undo === undefined) {
    const later = () => (notice.matches(":hover, :focus-within") ? setTimeout(later, 2000) : gone());
    setTimeout(later, 8000);
  }
}

/** Undo what was told last; whether there was anything. */
export function undoLast() {
  if (undoing === null) return false;
  undoing();
  return true;
}

/** An error as words for people. */
export function said(error) {
  if (!(error instanceof Problem) && !(error instanceof Told)) {
    console.error(error);
    return text.errors.ours;
  }
  if (error.status === 404 && error.kind === "not_found") return text.errors.notThere;
  return error.message.charAt(0).toLocaleUpperCase() + error.message.slice(1);
}

/** An error in the place of what failed. */
export function fail(error, again = null) {
  if (error.status === 404 && error.kind === "not_found") return h("p.soft", said(error));
  return h("div.note.bad", { role: "alert" }, icon("warn"), h("div.stack",
    h("p", said(error)),
    error.requestId ? h("small", text.errors.number(error.requestId)) : null,
    again ? h("div", button(text.tryAgain, again)) : null));
}

/** Load a file that the service makes, and keep it under a name. */
export async function keep(path, name) {
  const source = URL.createObjectURL(await blob(path));
  h("a", { href: source, download: name }).click();
  letGo(source);
}

/** Do something that may fail; where it fails, tell why. */
export async function attempt(what) {
  try {
    return await what();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    tell(said(error));
    return undefined;
  }
}
