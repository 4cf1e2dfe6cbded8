// The public HTTP API, nothing else. Addresses are relative, so that a prefix of a reverse proxy is kept.

const BASE = new URL("..", document.baseURI);
let key = "";
const known = new Map();

export class ApiError extends Error {
  constructor(status, { code = "", message = "", hint = "", request_id = "" } = {}) {
    super(message);
    Object.assign(this, { status, code, hint, requestId: request_id });
  }
}

export function useKey(value) {
  key = value;
}

async function call(method, path, body) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const request = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(new URL(path, BASE), request);
  } catch {
    throw new ApiError(0, { code: "unreachable" });
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ApiError(answer.status, content.error);
  return content;
}

const id = encodeURIComponent;

export const about = () => call("GET", "v1/about");
export const findUsers = (prefix, limit = 8) => call("GET", `v1/users?prefix=${id(prefix)}&limit=${limit}`).then((a) => a.users);
export const history = (user, limit = 50) => call("GET", `v1/users/${id(user)}/history?limit=${limit}`).then((a) => a.events);
export const recommend = (question) => call("POST", "v1/recommend", question);
export const onboarding = (answers, language) => call("POST", "v1/onboarding", { answers, language });
export const similar = (item, k = 10) => call("GET", `v1/items/${id(item)}/similar?k=${k}`);
export const explain = (user, item) => call("GET", `v1/users/${id(user)}/explain/${id(item)}`);
export const profile = (user, language) => call("GET", `v1/users/${id(user)}/profile?language=${language}`);
export const itemProfile = (item, language) => call("GET", `v1/items/${id(item)}/profile?language=${language}`);
export const writeProfile = (user, changes) => call("PATCH", `v1/users/${id(user)}/profile`, changes);
export const sendEvent = (event) => call("POST", "v1/events", { events: [event] });

// Rows of the catalogue, read once; ids without a row stand for themselves.
export async function readItems(ids) {
  const missing = [...new Set(ids)].filter((one) => !known.has(one));
  for (let start = 0; start < missing.length; start += 40) {
    const part = missing.slice(start, start + 40);
    const { items } = await call("GET", `v1/items?${part.map((one) => `id=${id(one)}`).join("&")}`);
    for (const item of items) known.set(item.item_id, item);
    for (const one of part) if (!known.has(one)) known.set(one, { item_id: one });
  }
  return known;
}

export const itemOf = (one) => known.get(one) ?? { item_id: one };
