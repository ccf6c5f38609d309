// The camera of this machine: it is on only while it is shown.

import { button, fill, h, icon } from "./dom.js";
import { Told } from "./notices.js";
import { text } from "./strings.js";

const EVERY = 700;
const LOOKED_AT = 960;

/** A button that shows the camera in a place. */
export function webcamButton(place, use) {
  const live = button(text.camera.use, async () => {
    live.disabled = true;
    try {
      fill(place, await webcam({ ...use, closed: () => (live.disabled = false) }));
      place.querySelector("button").focus();
    } catch (error) {
      live.disabled = false;
      fill(place, h("div.note.warn", { role: "alert" }, icon("warn"), h("p", error.message)));
    }
  }, icon("cameras"));
  return live;
}

/**
 * A card with what the camera sees. looked: called with a JPEG of it again and again, one at a time; its answer, an
 * element, stands below. taken: called with the picture that somebody takes. closed: when it is off. Fails where there is none.
 */
async function webcam({ looked, taken, closed, signal }) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Told(text.camera.none);
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "user" }, audio: false });
  } catch (error) {
    throw new Told(error.name === "NotAllowedError" ? text.camera.refused : text.camera.none);
  }
  const video = h("video", { playsinline: true, muted: true, "aria-label": text.camera.sees });
  video.muted = true;
  video.srcObject = stream;
  const frame = h("div.picture", video);
  const below = h("div");
  let open = true;
  const off = () => {
    if (!open) return;
    open = false;
    for (const track of stream.getTracks()) track.stop();
    element.remove();
    closed();
  };
  const element = h("div.card.stack", frame, below, h("div.row",
    button(text.camera.take, async () => taken(await still(video, video.videoWidth)), { class: "primary" }, icon("cameras")),
    button(text.camera.off, off, icon("close"))));
  signal.addEventListener("abort", off);
  await video.play();
  (async () => {
    while (open) {
      const picture = await still(video, LOOKED_AT);
      try {
        const scale = video.videoWidth / Math.min(LOOKED_AT, video.videoWidth);
        const answer = await looked(picture, frame, scale);
        if (open && answer) below.replaceChildren(answer);
      } catch {
        // The next look may go well; a picture that is taken says what is wrong.
      }
      await new Promise((done) => setTimeout(done, EVERY));
    }
  })();
  return element;
}

function still(video, width) {
  const wide = Math.min(width, video.videoWidth);
  const canvas = h("canvas", { width: wide, height: Math.round((video.videoHeight * wide) / video.videoWidth) });
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}
