// The requests of the service, from its own description.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { fail } from "./notices.js";
import { text } from "./strings.js";

const words = text.docs;
const main = document.getElementById("main");

function request(path, method, one, whole) {
  const asked = (one.parameters ?? []).map((each) => h("li", h("code", each.name), ` ${each.in === "path" ? words.inPath : each.in === "header" ? words.header : ""}${each.required ? words.needed : ""} `, each.description ?? "", " ", h("small", kind(each.schema))));
  const content = one.requestBody?.content ?? {};
  const body = Object.entries(content).map(([type, each]) => h("li", h("code", type), " ", fields(each.schema, whole)));
  return h("details", h("summary", h("code", `${method.toUpperCase()} ${path}`), " ", one.summary ?? ""),
    h("div.stack", one.description ? h("p", one.description) : null, asked.length ? [h("h3", words.asked), h("ul", asked)] : null, body.length ? [h("h3", words.body), h("ul", body)] : null,
      h("p", h("small", words.answers, " ", Object.keys(one.responses ?? {}).join(", ")))));
}

function kind(schema = {}) {
  if (schema.anyOf) return schema.anyOf.map(kind).filter((one) => one !== "null").join(` ${words.or} `);
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  return schema.type === "array" ? `${words.listOf} ${kind(schema.items)}` : (schema.type ?? "");
}

function fields(schema = {}, whole) {
  const found = schema.$ref ? whole.components.schemas[schema.$ref.split("/").at(-1)] : schema;
  if (!found?.properties) return kind(schema);
  return h("ul", Object.entries(found.properties).map(([name, each]) => h("li", h("code", name), (found.required ?? []).includes(name) ? ` ${words.needed} ` : " ", each.description ?? "", " ", h("small", kind(each)))));
}

try {
  const whole = await get("/openapi.json");
  const parts = new Map();
  for (const [path, methods] of Object.entries(whole.paths))
    for (const [method, one] of Object.entries(methods)) {
      const tag = one.tags?.[0] ?? words.rest;
      parts.set(tag, [...(parts.get(tag) ?? []), request(path, method, one, whole)]);
    }
  fill(main, h("div.stack", { id: "screen" }, h("h1", words.title(whole.info.version)), h("p.lead", whole.info.description || words.lead), h("p", h("a", { href: "/" }, words.page), " · ", h("a", { href: "/openapi.json" }, "/openapi.json")),
    [...parts].map(([tag, some]) => h("section.card.stack", h("h2", tag), some))));
} catch (error) {
  fill(main, fail(error));
}
