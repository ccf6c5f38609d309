// The frame: who is signed in, which screen is shown, what stands around it.

import { Problem, get, left, post, remove, signedOut } from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { fail } from "./notices.js";
import { text } from "./strings.js";

/** name, icon, scopes of which one is needed, and whether it stands in the list of screens. */
const SCREENS = [
  ["recognise", "recognise", ["recognise"], true],
  ["people", "people", ["people:read"], true],
  ["person", "person", ["people:read"], false],
  ["enrol", "enrol", ["people:write"], true],
  ["review", "review", ["pictures:read"], true],
  ["albums", "albums", ["pictures:read"], true],
  ["photo", "albums", ["pictures:read"], false],
  ["cameras", "cameras", ["events:read", "cameras"], true],
  ["sure", "sure", ["people:read", "admin"], true],
  ["privacy", "privacy", ["people:read"], true],
  ["settings", "settings", [], true],
];
const UNDER = { person: "people", photo: "albums" };

const top = document.getElementById("top");
const nav = document.getElementById("nav");
const main = document.getElementById("main");
const state = { session: null, leaving: new AbortController(), wanted: "" };

const may = (scope) => state.session.scopes.includes("admin") || state.session.scopes.includes(scope);
const open = ([, , scopes]) => scopes.length === 0 || scopes.some(may);

function frame() {
  document.body.classList.toggle("inside", state.session !== null);
  nav.hidden = state.session === null;
  if (state.session === null) {
    fill(top);
    return;
  }
  const menu = button(text.menu, () => fold(!nav.classList.contains("open")), icon("menu"), { class: "menu", "aria-expanded": "false", "aria-controls": "nav" });
  const logo = h("img", { src: new URL("icon.svg", import.meta.url).pathname, alt: "", width: 28, height: 28 });
  fill(top, h("a.mark", { href: "#/recognise" }, logo, "MultiFace"), menu);
  fill(nav, h("ul", SCREENS.filter((one) => one[3] && open(one)).map(([name, drawing]) =>
    h("li", h("a", { href: `#/${name}` }, icon(drawing), text.screens[name])))));
}

function fold(wanted) {
  nav.classList.toggle("open", wanted);
  top.querySelector(".menu")?.setAttribute("aria-expanded", String(wanted));
}

function parsed() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", id = ""] = path.split("/");
  return { name, id: safely(id), query: new URLSearchParams(query) };
}

function safely(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

/** Show the screen that the address names. */
async function show() {
  if (state.session === null) return;
  const { name, id, query } = parsed();
  const screen = SCREENS.find((one) => one[0] === name && open(one)) ?? SCREENS.find((one) => one[3] && open(one));
  state.leaving.abort();
  const leaving = (state.leaving = new AbortController());
  state.wanted = screen[0];
  fold(false);
  for (const link of nav.querySelectorAll("a")) {
    const here = link.getAttribute("href") === `#/${UNDER[screen[0]] ?? screen[0]}`;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const place = h("div.stack", { id: "screen" });
  fill(main, place);
  window.scrollTo(0, 0);
  const title = (words) => {
    document.title = `${words} – MultiFace`;
    const heading = h("h1", { tabindex: -1 }, words);
    // Who came by a link of the list hears where that is; who is elsewhere on the screen stays there.
    requestAnimationFrame(() => {
      const at = document.activeElement;
      if (at === null || at === document.body || nav.contains(at) || at === main) heading.focus({ preventScroll: true });
    });
    return heading;
  };
  const context = { place, id: screen[0] === name ? id : "", query, signal: leaving.signal, may, title, session: state.session, signOut };
  context.again = () => leaving.signal.aborted || show();
  try {
    const { show: drawn } = await import(`./screens/${screen[0]}.js`);
    if (leaving.signal.aborted) return;
    await drawn(context);
  } catch (error) {
    if (left(error) || leaving.signal.aborted) return;
    fill(place, title(text.screens[screen[0]]), fail(error, show));
  }
}

async function signIn(problem = null) {
  state.session = null;
  state.leaving.abort();
  frame();
  const place = h("div", { id: "screen" });
  fill(main, place);
  document.title = `${text.signIn.title} – MultiFace`;
  const { show: drawn } = await import("./screens/signin.js");
  drawn({ place, problem, done: signed });
}

function signed(session) {
  state.session = session;
  frame();
  show();
}

async function signOut() {
  await remove("/v1/session");
  signIn();
}

async function start() {
  const link = /^#link=(.+)$/.exec(location.hash);
  if (link) {
    // It is gone from the address and the history before anything else happens.
    history.replaceState(null, "", location.pathname);
    try {
      signed(await post("/v1/session", { link: link[1] }));
    } catch (error) {
      signIn(error);
    }
    return;
  }
  try {
    const session = await get("/v1/session");
    if (session.scopes.length) signed(session);
    else signIn();
  } catch (error) {
    signIn(error);
  }
}

signedOut.addEventListener("out", () => {
  if (state.session !== null) signIn(new Problem(401, "ended", text.signIn.ended, ""));
});
window.addEventListener("hashchange", () => (location.hash.startsWith("#link=") ? start() : show()));
start();
