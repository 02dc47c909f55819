// Draws the OpenAPI document: endpoints by tag, their parameters, bodies and answers, and a way to try each.

import { errorBox } from "./answers.js";
import { el, fetchJson, section } from "./dom.js";

let components = {};

function resolve(node) {
  if (!node?.$ref) return node ?? {};
  const [kind, name] = node.$ref.split("/").slice(-2);
  return components[kind]?.[name] ?? {};
}

function typeName(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf || schema.oneOf) return (schema.anyOf ?? schema.oneOf).map(typeName).join(" | ");
  if (schema.type === "array") return schema.items ? `[${typeName(schema.items)}]` : "array";
  return schema.format ? `${schema.type} (${schema.format})` : schema.type ?? "any";
}

function limits(schema) {
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  if (low === undefined && high === undefined) return "";
  return `${low ?? "…"} to ${high ?? "…"}`;
}

function propertyTable(schema) {
  const { properties = {}, required = [] } = resolve(schema);
  const rows = Object.entries(properties).map(([name, property]) =>
    el("tr", {},
      el("th", { scope: "row" }, el("code", {}, name), required.includes(name) ? " *" : ""),
      el("td", {}, typeName(property)),
      el("td", {}, [property.description, limits(property)].filter(Boolean).join("; "))));
  return el("table", {}, el("thead", {}, el("tr", {}, ["Field", "Type", "Meaning"].map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, rows));
}

function parameterTable(parameters) {
  const schema = { properties: {}, required: [] };
  for (const { name, in: place, required, description, schema: inner } of parameters) {
    schema.properties[name] = { ...inner, description: [place, description].filter(Boolean).join("; ") };
    if (required) schema.required.push(name);
  }
  return propertyTable(schema);
}

function tryForm(method, path, operation) {
  const parameters = operation.parameters ?? [];
  const output = el("pre", { hidden: true, tabindex: 0, "aria-label": "Answer" });
  const id = operation.operationId;
  const inputs = parameters.map((p) => {
    const options = p.schema?.enum;
    const control = options
      ? el("select", { id: `${id}-${p.name}`, name: p.name }, p.required ? null : el("option", { value: "" }, ""),
        options.map((value) => el("option", { value }, value)))
      : el("input", { id: `${id}-${p.name}`, name: p.name, required: p.required });
    return el("div", { class: "field" }, el("label", { for: `${id}-${p.name}` }, p.name), control);
  });
  const content = operation.requestBody?.content ?? {};
  const form = content["multipart/form-data"]?.schema;
  const field = form && Object.keys(form.properties)[0];
  if (form) {
    inputs.push(el("div", { class: "field" }, el("label", { for: `${id}-file` }, field),
      el("input", { id: `${id}-file`, type: "file", name: "__file", required: true })));
  } else if (content["application/json"]) {
    inputs.push(el("div", { class: "field" }, el("label", { for: `${id}-json` }, "JSON body"),
      el("input", { id: `${id}-json`, name: "__json", value: "{}", required: true })));
  }
  const submit = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    const request = { method: method.toUpperCase(), headers: { Accept: "application/json" } };
    let address = path;
    const query = new URLSearchParams();
    for (const p of parameters) {
      const value = given.get(p.name);
      if (p.in === "path") address = address.replace(`{${p.name}}`, encodeURIComponent(value));
      else if (value) query.set(p.name, value);
    }
    if (given.has("__file")) {
      request.body = new FormData();
      request.body.append(field, given.get("__file"));
    } else if (given.has("__json")) {
      request.body = given.get("__json");
      request.headers["Content-Type"] = "application/json";
    }
    const response = await fetch(query.size ? `${address}?${query}` : address, request);
    const text = await response.text();
    output.hidden = false;
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
    output.textContent = `${response.status}\n${shown}`;
  };
  return el("form", { onsubmit: submit }, el("div", { class: "fields" }, inputs),
    el("button", { type: "submit", class: "primary" }, "Try it"), output);
}

function endpoint(path, method, operation) {
  const body = Object.entries(operation.requestBody?.content ?? {});
  const good = operation.responses?.["200"]?.content?.["application/json"]?.schema;
  const failures = Object.entries(operation.responses ?? {}).filter(([status]) => status !== "200");
  return el("details", { class: "endpoint" },
    el("summary", {}, el("span", { class: "method" }, method.toUpperCase()), el("code", {}, path), el("span", {}, operation.summary ?? "")),
    el("div", {},
      el("p", {}, operation.description ?? ""),
      ...(operation.parameters?.length ? section("Parameters", parameterTable(operation.parameters)) : []),
      ...body.flatMap(([type, { schema }]) => section(`Body: ${type}`, propertyTable(schema))),
      ...(good ? section(`Answer: ${typeName(good)}`, propertyTable(good)) : []),
      ...section("Errors", el("ul", {}, failures.map(([status, failure]) => el("li", {}, `${status}: ${resolve(failure).description}`)))),
      ...section("Try", tryForm(method, path, operation))));
}

async function start() {
  const main = document.getElementById("endpoints");
  try {
    const specification = await fetchJson("/openapi.json");
    components = specification.components;
    document.getElementById("description").textContent = specification.info.description;
    const groups = new Map();
    for (const [path, operations] of Object.entries(specification.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const tag = operation.tags?.[0] ?? "Other";
        groups.set(tag, [...(groups.get(tag) ?? []), endpoint(path, method, operation)]);
      }
    }
    main.replaceChildren(...[...groups].flatMap(([tag, endpoints]) => [el("h2", {}, tag), ...endpoints]));
  } catch (error) {
    main.replaceChildren(errorBox(error));
  }
}

start();
