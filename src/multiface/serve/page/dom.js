// Elements made by hand. Text becomes text and never markup, so a name that looks like HTML stays a name.

const SVG = "http://www.w3.org/2000/svg";
const ICONS = new URL("icons.svg", import.meta.url).pathname;

/** An element: h("button.primary", { onclick, "aria-label": "x" }, "text", [more]). null and false are left out. */
export function h(what, ...rest) {
  const [tag, ...classes] = what.split(".");
  return filled(document.createElement(tag), classes, rest);
}

/** The same for SVG. */
export function svg(what, ...rest) {
  const [tag, ...classes] = what.split(".");
  return filled(document.createElementNS(SVG, tag), classes, rest);
}

function filled(element, classes, rest) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const one of rest.flat(3)) {
    if (one === null || one === undefined || one === false) continue;
    if (typeof one === "object" && !(one instanceof Node)) {
      for (const [name, value] of Object.entries(one)) give(element, name, value);
    } else element.append(one instanceof Node ? one : String(one));
  }
  return element;
}

function give(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked" || name === "disabled" || name === "indeterminate") element[name] = value;
  else element.setAttribute(name, value === true ? "" : value);
}

/** What stands in an element is replaced. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(3).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** A drawing for the eye; the words stand beside it. */
export function icon(name) {
  return svg("svg.icon", { "aria-hidden": "true" }, svg("use", { href: `${ICONS}#${name}` }));
}

/** A person's name: its own direction of writing does not turn the words around it. */
export function named(name) {
  return h("bdi.name", name);
}

/** A button: label, what it does, and more of h. */
export function button(label, onclick, ...rest) {
  return h("button", { type: "button", onclick }, ...rest, label);
}

/** A sentence with elements in it: spliced("{a} is near {b}", { a: node, b: "x" }). */
export function spliced(sentence, parts) {
  return sentence.split(/(\{\w+\})/).map((piece) => {
    const key = /^\{(\w+)\}$/.exec(piece)?.[1];
    return key === undefined ? piece : (parts[key] ?? "");
  });
}

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const MINUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

function shown(format, value) {
  if (value === null || value === undefined) return "";
  const date = new Date(typeof value === "number" ? value * 1000 : value);
  return Number.isNaN(date.getTime()) ? String(value) : format.format(date);
}

export const day = (value) => shown(DAY, value);
export const minute = (value) => shown(MINUTE, value);
export const clock = (value) => shown(CLOCK, value);
export const number = (value) => new Intl.NumberFormat().format(value);
/** A similarity, as everywhere in MultiFace. */
export const alike = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

/** Forget a picture's address, when nobody is still loading it. */
export const letGo = (source) => setTimeout(() => URL.revokeObjectURL(source), 5000);

/** An id for labels. */
let last = 0;
export const newId = (what) => `${what}-${++last}`;
