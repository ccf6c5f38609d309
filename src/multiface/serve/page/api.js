// Requests to the service. Errors are problems (RFC 9457): `detail` is for people.

import { text } from "./strings.js";

export class Problem extends Error {
  constructor(status, kind, detail, requestId) {
    super(detail);
    this.status = status;
    this.kind = kind;
    this.requestId = requestId;
  }
}

/** Told when nobody is signed in any more. */
export const signedOut = new EventTarget();

/** An address with what is asked; null is left out, lists are repeated. */
export function address(path, query = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") asked.append(name, one);
  }
  const words = asked.toString();
  return words ? `${path}?${words}` : path;
}

async function ask(method, path, { query, body, signal, headers = {} } = {}) {
  const init = { method, signal, headers: { "X-MultiFace": "page", ...headers }, credentials: "same-origin" };
  if (body instanceof Blob || body instanceof FormData) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(address(path, query), init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "no_answer", text.errors.noAnswer, "");
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  const kind = String(said.type ?? "").replace("urn:multiface:", "");
  if (answer.status === 401 && path !== "/v1/session") signedOut.dispatchEvent(new Event("out"));
  throw new Problem(answer.status, kind, said.detail ?? text.errors.unclear(answer.status), said.request_id ?? "");
}

const json = async (answer) => (answer.status === 204 ? null : answer.json());

export const get = async (path, query, signal) => json(await ask("GET", path, { query, signal }));
/** A document with the tag of its state, for If-Match. */
export async function tagged(path, signal) {
  const answer = await ask("GET", path, { signal });
  return { ...(await answer.json()), tag: answer.headers.get("etag") };
}

export const blob = async (path, query, signal) => (await ask("GET", path, { query, signal })).blob();
export const post = async (path, body, query, signal) => json(await ask("POST", path, { body, query, signal }));
export const patch = async (path, body, headers) => json(await ask("PATCH", path, { body, headers }));
export const remove = async (path) => json(await ask("DELETE", path));

/** A picture, or several, as the service takes them. */
export function sendPictures(path, blobs, query, signal) {
  if (blobs.length === 1) {
    const one = blobs[0];
    return post(path, one.type.startsWith("image/") ? one : new Blob([one], { type: "application/octet-stream" }), query, signal);
  }
  const form = new FormData();
  blobs.forEach((one, k) => form.append("pictures", one, `${k}.img`));
  return post(path, form, query, signal);
}

export const id = encodeURIComponent;

/** Whether an error is that somebody left the screen meanwhile. */
export const left = (error) => error.name === "AbortError";
