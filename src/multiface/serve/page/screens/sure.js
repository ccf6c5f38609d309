// How sure the answers are: measured, in words and as a curve; and whether it works on one's own people.

import { get, id, left } from "../api.js";
import { chart } from "../chart.js";
import { crop, strip } from "../crops.js";
import { alike, button, fill, h, icon, named, newId, number, spliced } from "../dom.js";
import { run } from "../jobs.js";
import { fail } from "../notices.js";
import { text } from "../strings.js";
import { odds } from "../why.js";

const words = text.sure;

export async function show({ place, title, signal, may }) {
  const curve = h("section.card.stack", h("p.busy", text.loading));
  const own = h("section.card.stack", h("h2", words.own), h("p", words.ownWhat));
  const pairs = h("section.card.stack", h("h2", words.pairs), h("p.busy", text.loading));
  fill(place, h("div.head", title(words.title)), h("p.lead", words.lead), curve, h("div.two.even", own, pairs));
  const into = h("div");
  if (!may("admin")) {
    curve.remove();
    own.remove();
    await likest();
    return;
  }
  own.append(into, h("div.row", button(words.check, () => run(into, "/v1/strictness/check", undefined, words.checking, (job) => fill(into, checked(job.result)), signal), icon("check"))));
  await Promise.all([drawn(), likest()]);

  async function drawn() {
    try {
      const now = await get("/v1/strictness", {}, signal);
      const points = [...now.curve].filter((one) => one.rate > 0).sort((a, b) => a.rate - b.rate);
      if (points.length === 0) {
        fill(curve, h("p.soft", words.nobody));
        return;
      }
      const near = points.reduce((best, one, k) => (Math.abs(Math.log(one.rate / now.rate)) < Math.abs(Math.log(points[best].rate / now.rate)) ? k : best), 0);
      const slider = h("input", { id: newId("rate"), type: "range", min: 0, max: points.length - 1, step: 1, value: String(near) });
      const sentence = h("p.sentence", { role: "status" });
      const { drawing, mark } = chart(points, (rate) => odds(rate), curve.clientWidth - 34);
      const move = () => {
        const point = points[Number(slider.value)];
        mark(point);
        slider.setAttribute("aria-valuetext", odds(point.rate));
        sentence.textContent = `${words.inWords(odds(point.rate), point.threshold.toFixed(3))} ${point.extrapolated ? words.beyond : point.interval ? words.between(odds(point.interval[1]), odds(point.interval[0])) : ""} ${words.missed(share(point))}`;
      };
      slider.addEventListener("input", move);
      fill(curve, h("h2", words.now(odds(now.rate), number(now.people))), now.threshold === null || now.threshold === undefined ? null : h("p", words.threshold(now.threshold.toFixed(3))),
        h("div.field", h("label", { for: slider.id }, words.slider), slider), sentence, drawing, h("p", h("small", words.source, " ", now.calibration ?? "–")),
        h("p", h("small", words.toChange)),
        h("details", h("summary", words.asTable), h("div.wide", { tabindex: 0, role: "region", "aria-label": words.asTable }, h("table", h("thead", h("tr", words.columns.map((one) => h("th", { scope: "col" }, one)))),
          h("tbody", points.map((one) => h("tr", h("td", odds(one.rate)), h("td", one.threshold.toFixed(3)), h("td", share(one)), h("td", one.extrapolated || !one.interval ? words.notMeasured : `${odds(one.interval[1])} – ${odds(one.interval[0])}`))))))));
      move();
    } catch (error) {
      if (!left(error)) fill(curve, fail(error, drawn));
    }
  }

  function checked(result) {
    return h("div.stack", h("p.sentence", words.result(number(result.recognised), number(result.pictures), number(result.people))),
      h("p", words.unknown(number(result.unknown))),
      result.mistaken.length ? [h("p.bad", words.wrong(number(result.mistaken.length))), h("ul", result.mistaken.map((one) => h("li", wrong(one))))] : h("p.good", icon("check"), " ", words.noneWrong));
  }

  async function likest() {
    try {
      const { pairs: found } = await get("/v1/alike", { limit: 10 }, signal);
      const crops = [];
      const face = (one) => {
        const picture = crop(one.name, "small");
        crops.push([one.person, picture]);
        return [picture, h("a", { href: `#/person/${id(one.person)}` }, named(one.name))];
      };
      fill(pairs, h("h2", words.pairs), h("p.soft", words.pairsWhat), found.length === 0 ? h("p.soft", words.noPairs) : h("ul.plain.lines", found.map((one) =>
        h("li.stack", h("div.row", face(one.people[0]), h("span.soft", words.and), face(one.people[1])),
          h("small", { class: one.similarity >= one.threshold ? "bad" : "" }, one.similarity >= one.threshold ? words.tooAlike(alike(one.similarity), alike(one.threshold)) : words.apart(alike(one.similarity), alike(one.threshold)))))));
      if (may("pictures:read") && crops.length) await strip("people", crops, signal);
    } catch (error) {
      if (!left(error)) fill(pairs, h("h2", words.pairs), fail(error, likest));
    }
  }
}

const wrong = (one) => spliced(words.taken, { who: named(one.name), other: named(one.other_name), similarity: alike(one.similarity) });
/** Of photos of known people, how many of 100 stay unknown. */
const share = (point) => `${{ "at most": "≤ ", "at least": "≥ " }[point.false_non_match_rate_bound] ?? ""}${number(Number((point.false_non_match_rate * 100).toPrecision(2)))}`;
