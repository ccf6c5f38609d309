// Long work of the service: how far it is, and a way to stop it.

import { get, post, remove } from "./api.js";
import { button, fill, h, icon, number } from "./dom.js";
import { attempt, fail, tell } from "./notices.js";
import { text } from "./strings.js";

const OVER = ["done", "failed", "cancelled"];

/** Start a job and show it in a place until it is over. done: called with the job that was done. */
export async function run(place, path, body, label, done, signal) {
  try {
    fill(place, h("p.busy", text.jobs.starting));
    follow(place, await post(path, body), label, done, signal);
  } catch (error) {
    fill(place, fail(error));
  }
}

/** Show a job that is there. */
export function follow(place, job, label, done, signal) {
  const bar = h("progress", { "aria-label": label });
  const words = h("small");
  const stop = button(text.jobs.cancel, () => attempt(() => remove(`/v1/jobs/${job.job}`)), { class: "plain" }, icon("close"));
  fill(place, h("div.stack", h("div.row.spread", h("span", label), stop), bar, words));
  const shown = (one) => {
    job = one;
    if (one.total) {
      bar.max = one.total;
      bar.value = one.done;
      words.textContent = text.jobs.progress(number(one.done), number(one.total));
    } else words.textContent = one.state === "waiting" ? text.jobs.waiting : text.jobs.progressOf(number(one.done ?? 0));
    if (!OVER.includes(one.state)) return;
    events.close();
    if (one.state === "done") {
      fill(place);
      done(one);
    } else if (one.state === "cancelled") {
      fill(place);
      tell(text.jobs.cancelled(label));
    } else fill(place, h("div.note.bad", { role: "alert" }, icon("warn"), h("p", one.problem?.detail ?? one.problem ?? text.jobs.failed)));
  };
  const events = new EventSource(`/v1/jobs/${job.job}/events`);
  signal?.addEventListener("abort", () => events.close());
  events.addEventListener("progress", (event) => shown(JSON.parse(event.data)));
  events.addEventListener("error", async () => {
    // Ended, or not offered: ask for it then, a few times a minute.
    if (events.readyState !== EventSource.CLOSED || OVER.includes(job.state)) return;
    while (!OVER.includes(job.state) && !signal?.aborted) {
      await new Promise((over) => setTimeout(over, 1500));
      try {
        shown(await get(`/v1/jobs/${job.job}`, {}, signal));
      } catch {
        return;
      }
    }
  });
  shown(job);
}
