// Pictures from outside: chosen, dropped, pasted.

import { button, h, icon, letGo } from "./dom.js";
import { text } from "./strings.js";

const LARGEST = 19_000_000;
const SIDE = 4096;

/** A place for pictures. take: called with a list of files. more: elements beside the button. */
export function intake({ words, take, signal, more = [] }) {
  const input = h("input", { type: "file", accept: "image/*", multiple: true, hidden: true });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) take(files);
  });
  const element = h("div.drop", h("p", words), h("div.row", button(text.intake.choose, () => input.click(), { class: "primary" }, icon("upload")), more), input);
  let over = 0;
  const files = (event) => [...(event.dataTransfer?.files ?? [])].filter((one) => one.type === "" || one.type.startsWith("image/"));
  const on = (name, done) => window.addEventListener(name, done, { signal });
  // The whole window takes what is dropped: beside the place the browser would leave the page.
  on("dragenter", () => element.classList.toggle("over", ++over > 0));
  on("dragleave", () => element.classList.toggle("over", --over > 0));
  on("dragover", (event) => event.preventDefault());
  on("drop", (event) => {
    event.preventDefault();
    over = 0;
    element.classList.remove("over");
    const dropped = files(event);
    if (dropped.length) take(dropped);
  });
  on("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].filter((one) => one.type.startsWith("image/"));
    if (pasted.length) {
      event.preventDefault();
      take(pasted);
    }
  });
  return element;
}

/** A file as the service takes it, and as the page shows it (null where the browser cannot). */
export async function readable(file) {
  let shown = null;
  try {
    shown = await loaded(file);
  } catch {
    return { file, shown };
  }
  if (file.size <= LARGEST) return { file, shown };
  const by = Math.min(1, SIDE / Math.max(shown.naturalWidth, shown.naturalHeight));
  const canvas = h("canvas", { width: Math.round(shown.naturalWidth * by), height: Math.round(shown.naturalHeight * by) });
  canvas.getContext("2d").drawImage(shown, 0, 0, canvas.width, canvas.height);
  const smaller = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  return { file: smaller, shown: await loaded(smaller) };
}

/** An image element with a file's picture, upright as its own notes say. */
export async function loaded(file) {
  const image = new Image();
  const source = URL.createObjectURL(file);
  image.src = source;
  try {
    await image.decode();
    return image;
  } finally {
    letGo(source);
  }
}
