// The measured curve: how many strangers get a name at which similarity, with its interval; grey where nobody measured.

import { svg } from "./dom.js";
import { text } from "./strings.js";

const H = 320, L = 84, R = 16, T = 14, B = 44;

/** width: in pixels, so that words keep their size. curve: {rate, interval: [low, high] or null, threshold, extrapolated}. Returns the drawing and mark(rate), which shows where one is. */
export function chart(curve, odds, width) {
  const W = Math.max(280, Math.min(width, 720));
  const points = [...curve].sort((a, b) => a.threshold - b.threshold);
  const rates = points.flatMap((one) => [one.rate, ...(one.interval ?? [])]).filter((one) => one > 0);
  const [low, high] = [Math.log10(Math.min(...rates)), Math.log10(Math.max(...rates))];
  const [from, to] = [points[0].threshold, points.at(-1).threshold];
  const x = (threshold) => L + ((threshold - from) / (to - from || 1)) * (W - L - R);
  const y = (rate) => T + ((high - Math.log10(Math.max(rate, 10 ** low))) / (high - low || 1)) * (H - T - B);
  const parts = runs(points);
  const now = svg("line.now", { y1: T, y2: H - B }), dot = svg("circle.dot", { r: 5 });
  const drawing = svg("svg.chart", { viewBox: `0 0 ${W} ${H}`, width: W, height: H, role: "img", "aria-label": text.sure.chart },
    ticks(low, high).map((rate) => [svg("line.axis", { x1: L, x2: W - R, y1: y(rate), y2: y(rate) }), svg("text", { x: L - 8, y: y(rate) + 4, "text-anchor": "end" }, odds(rate))]),
    (W < 400 ? [0, 2, 4] : [0, 1, 2, 3, 4]).map((k) => from + ((to - from) * k) / 4).map((one) => svg("text", { x: x(one), y: H - B + 20, "text-anchor": "middle" }, one.toFixed(2))),
    svg("text", { x: (L + W - R) / 2, y: H - 6, "text-anchor": "middle" }, text.sure.axis),
    parts.map(([beyond, some]) => svg(`path.band${beyond ? ".beyond" : ""}`, { d: area(some.map((one) => [x(one.threshold), y(one.interval?.[0] ?? one.rate), y(one.interval?.[1] ?? one.rate)])) })),
    parts.map(([beyond, some]) => svg(`path.line${beyond ? ".beyond" : ""}`, { d: some.map((one, k) => `${k ? "L" : "M"}${x(one.threshold).toFixed(1)} ${y(one.rate).toFixed(1)}`).join("") })),
    now, dot);
  return { drawing, mark(point) {
    for (const end of ["x1", "x2"]) now.setAttribute(end, x(point.threshold));
    dot.setAttribute("cx", x(point.threshold));
    dot.setAttribute("cy", y(point.rate));
  } };
}

/** Stretches that are measured, or are not; each begins where the one before ends. */
function runs(points) {
  const found = [];
  points.forEach((one, k) => {
    const beyond = Boolean(one.extrapolated);
    if (found.at(-1)?.[0] !== beyond) found.push([beyond, k && found.length ? [points[k - 1]] : []]);
    found.at(-1)[1].push(one);
  });
  return found;
}

const area = (rows) => `M${rows.map(([x, low]) => `${x.toFixed(1)} ${low.toFixed(1)}`).join("L")}L${[...rows].reverse().map(([x, , high]) => `${x.toFixed(1)} ${high.toFixed(1)}`).join("L")}Z`;

function ticks(low, high) {
  const found = [];
  for (let power = Math.ceil(low); power <= Math.floor(high); power++) found.push(10 ** power);
  return found;
}
