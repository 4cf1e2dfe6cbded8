// From data to elements. Text only ever becomes text nodes: a title may hold anything.

import { count, day, milliseconds, moment, money, nameOf, t } from "./i18n.js";

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const SHOUT = /^(?=.*\p{Lu}.*\p{Lu}.*\p{Lu})[^\p{Ll}]*$/u;

// Catalogues that SHOUT are shown calmly; what is sent and filtered by stays as it is.
const calm = (text) => (SHOUT.test(text) ? text.charAt(0) + text.slice(1).toLowerCase() : text);

export const titleOf = (item) => (item.title ? calm(String(item.title)) : String(item.item_id));

export function reasonOf(reason, itemOf) {
  const titles = (reason?.item_ids ?? []).map((id) => String(itemOf(id).title ?? "")).filter(Boolean);
  return titles.reduce((text, title) => text.replaceAll(title, calm(title)), reason?.text ?? "");
}

const FAMILY = {
  repeat: "again", because_item: "with", follows: "with", itemknn: "with", ease: "with", markov: "with",
  popular: "many", popular_context: "many", friends: "many", text: "words", query: "words", semantic: "words",
};

export const badge = (source) => h("span", { class: `badge ${FAMILY[source] ?? "other"}` }, nameOf(source));

function width(element, share) {
  element.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return element;
}

const signed = (n) => `${n < 0 ? "−" : "+"}${Math.abs(n).toFixed(2)}`;

export function bars(values, { most = Infinity, sign = true, kind = "" } = {}) {
  const entries = Object.entries(values).filter(([, n]) => Number.isFinite(n)).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const top = Math.max(...entries.map(([, n]) => Math.abs(n)), 1e-9);
  const scale = top <= 1 ? 1 : top;
  return h("dl", { class: `bars ${kind}` }, entries.slice(0, most).map(([name, n]) =>
    h("div", {},
      h("dt", { title: nameOf(name) }, nameOf(name)),
      h("dd", {},
        h("span", { class: "track" }, width(h("i", { class: n < 0 ? "minus" : "plus" }), Math.abs(n) / scale)),
        h("span", { class: "n" }, sign ? signed(n) : n.toFixed(2))))));
}

function movement(mark) {
  if (mark === "new") return h("span", { class: "mark fresh" }, t("isNew"));
  if (!mark) return null;
  const key = mark > 0 ? "up" : "down";
  const label = t(key, { n: Math.abs(mark) });
  return h("span", { class: `mark ${key}`, role: "img", "aria-label": label, title: label }, `${mark > 0 ? "↑" : "↓"} ${Math.abs(mark)}`);
}

export function row(line, rank, item, { mark, event, reason, act, similar, why }) {
  const title = titleOf(item);
  const shares = line.reason?.contributions ?? {};
  return h("li", { class: mark === "new" ? "row is-new" : mark ? "row is-moved" : "row", "data-id": line.item_id },
    h("span", { class: "rank" }, String(rank)),
    h("button", { type: "button", class: "main", "aria-label": t("send", { event: nameOf(event), title }), onclick: act },
      h("span", { class: "title" }, h("span", { class: "words" }, title), movement(mark)),
      h("span", { class: "reason" }, badge(line.source), h("span", {}, reason)),
      h("span", { class: "chip", "aria-hidden": "true" }, `+ ${nameOf(event)}`)),
    h("span", { class: "price" }, Number.isFinite(item.price) ? money(item.price) : ""),
    bars(shares, { most: 3 }),
    h("span", { class: "more" },
      h("button", { type: "button", class: "link", onclick: similar, "aria-label": t("similarTo", { title }) }, t("similar")),
      h("button", { type: "button", class: "link", onclick: why, "aria-label": t("whyTitle", { title }) }, t("why"))));
}

export function past(event, item, fresh) {
  return h("li", { class: fresh ? "is-new" : null },
    h("span", { class: "title" }, titleOf(item)),
    h("span", { class: "meta" },
      h("span", { class: "event" }, nameOf(event.event ?? "")),
      h("time", { title: moment(event.timestamp) }, day(event.timestamp))));
}

// A profile's words, line by line: "Likes: red mug". What has no name stands alone.
export function profileLines(text) {
  return String(text ?? "").split("\n").filter(Boolean).map((line) => {
    const at = line.indexOf(": ");
    return h("div", {}, at > 0 ? h("dt", {}, line.slice(0, at)) : null, h("dd", {}, at > 0 ? line.slice(at + 2) : line));
  });
}

// Writing the reasons is work that only this page asks for: it is told beside the time of the list, not in it.
const AFTER = new Set(["answer", "reasons", "explain"]);

export function stages(timings, stack, legend) {
  const parts = Object.entries(timings).filter(([name]) => name !== "total" && !AFTER.has(name));
  const after = Object.entries(timings).filter(([name]) => AFTER.has(name)).reduce((sum, [, ms]) => sum + ms, 0);
  const total = parts.reduce((sum, [, ms]) => sum + ms, 0);
  stack.replaceChildren(...parts.map(([name, ms], n) => width(h("i", { class: `s${n % 8}`, title: `${nameOf(name)} ${milliseconds(ms)} ms` }), ms / (total || 1))));
  stack.setAttribute("aria-label", `${t("stages")}: ${parts.map(([name, ms]) => `${nameOf(name)} ${milliseconds(ms)}`).join(", ")}`);
  legend.replaceChildren(...parts.map(([name, ms], n) => h("li", {}, h("i", { class: `s${n % 8}` }), `${nameOf(name)} `, h("b", {}, milliseconds(ms)))));
  return { total, after };
}

export function facts(info) {
  const numbers = [["items", info.n_items], ["people", info.n_users], ["events", info.n_events]];
  return [
    info.scenario ? h("li", { class: "chip-fact" }, nameOf(info.scenario)) : null,
    ...numbers.filter(([, n]) => Number.isFinite(n)).map(([name, n]) => h("li", {}, h("b", {}, count(n)), ` ${t(name)}`)),
  ].filter(Boolean);
}

export function stamp(answer, roundTrip) {
  const pairs = [[t("version"), answer.version], [t("bundle"), answer.bundle], [t("roundTrip"), `${milliseconds(roundTrip)} ms`]];
  if (answer.left_out?.length) pairs.push([t("leftOut"), answer.left_out.join(", ")]);
  return pairs.filter(([, value]) => value !== "" && value !== undefined).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { title: String(value) }, String(value))));
}

function shown(value) {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : Math.abs(value) < 1000 ? value.toPrecision(3) : value.toFixed(1);
  if (Array.isArray(value)) return value.map(shown).join(", ");
  return value === null || value === undefined || value === "" ? "–" : String(value);
}

const isTree = (value) => value !== null && typeof value === "object" && (!Array.isArray(value) || value.some((one) => one !== null && typeof one === "object"));

// Any plain data as tables: what has parts of its own becomes a section below.
export function tables(data, title = "") {
  const entries = Object.entries(data ?? {}).filter(([name]) => name !== "user_id" && name !== "item_id");
  const flat = entries.filter(([, value]) => !isTree(value));
  const deep = entries.filter(([, value]) => isTree(value));
  const section = flat.length ? [h("table", {}, h("tbody", {}, flat.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, nameOf(name)), h("td", {}, shown(value))))))] : [];
  const heading = title && (section.length || deep.length) ? [h("h3", {}, title)] : [];
  return [...heading, ...section, ...deep.flatMap(([name, value]) => (Array.isArray(value) ? grid(value, nameOf(name)) : tables(value, nameOf(name))))];
}

function grid(rows, title) {
  const columns = [...new Set(rows.flatMap((one) => Object.keys(one ?? {})))].filter((name) => rows.some((one) => !isTree(one?.[name])));
  return [h("h3", {}, title), h("div", { class: "wide" }, h("table", {},
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, nameOf(name))))),
    h("tbody", {}, rows.map((one) => h("tr", {}, columns.map((name) => h("td", {}, shown(one?.[name]))))))))];
}
