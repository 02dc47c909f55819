// Small tools for building the page. Text is always set as text: nothing an answer says becomes markup.

export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) node.style.setProperty(key, value);
    else if (key === "class") node.className = value;
    else if (value === true) node.setAttribute(key, "");
    else node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export function list(items) {
  return el("ul", {}, items.map((item) => el("li", {}, item)));
}

export function section(title, ...content) {
  return [el("h3", {}, title), ...content];
}

export async function fetchJson(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch {
    throw Object.assign(new Error("The service does not answer. Is it still running?"), { code: "unreachable" });
  }
  const content = await response.json();
  if (!response.ok) throw Object.assign(new Error(content.error ?? "The request failed."), content);
  return content;
}
