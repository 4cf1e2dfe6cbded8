// The page's state, and what happens when someone does something.

import * as api from "./api.js";
import { combobox } from "./combobox.js";
import { currentLanguage, milliseconds, nameOf, setLanguage, t } from "./i18n.js";
import { ask } from "./onboarding.js";
import * as view from "./view.js";

const { h } = view;
const $ = (id) => document.getElementById(id);
const address = new URLSearchParams(location.search);

const state = {
  info: {}, user: "", event: "", answer: null, order: [], minVersion: 0, roundTrip: 0, sent: [], told: [], turn: 0,
  session: `console-${crypto.getRandomValues(new Uint32Array(2)).join("")}`,
};

// ---------------------------------------------------------------- words

function speak(language) {
  document.documentElement.lang = setLanguage(language) === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  $("people").setAttribute("aria-label", t("person"));
  $("person").placeholder = t("personHint");
  $("sentence").placeholder = t("sentenceHint");
  $("filter").placeholder = t("filter");
  const other = currentLanguage() === "zh" ? ["English", "en"] : ["中文", "zh"];
  [$("language").textContent, $("language").lang] = other;
  showFacts();
}

function showFacts() {
  $("facts").replaceChildren(...view.facts(state.info));
  const names = state.info.events?.length ? state.info.events : [state.event || "interaction"];
  $("event").replaceChildren(...names.map((name) => h("option", { value: name, selected: name === state.event }, nameOf(name))));
}

const say = (words) => { $("live").textContent = words; };

function trouble(error) {
  if (error?.status === 401) return askForKey();
  const words = error?.code === "unreachable" ? t("unreachable") : [error?.message, error?.hint].filter(Boolean).join(" ");
  $("trouble").replaceChildren(words, error?.requestId ? h("code", {}, `${t("request")} ${error.requestId}`) : "");
  $("trouble").hidden = false;
}

// ---------------------------------------------------------------- question and answer

function question() {
  const asked = { k: Number($("k").value), explain: true, language: currentLanguage() };
  const text = $("sentence").value.trim();
  const title = $("filter").value.trim();
  if (state.user) asked.user_id = state.user;
  else asked.session_id = state.session;
  if (!state.user && state.told.length) asked.history = [...state.told, ...state.sent.map((event) => event.item_id).reverse()];
  if (text) asked.text = text;
  if (title) asked.filter = { all: [{ field: "title", op: "contains", value: title }] };
  if (state.minVersion) asked.min_version = state.minVersion;
  return asked;
}

async function refresh({ compare = false } = {}) {
  const turn = ++state.turn;
  $("list").setAttribute("aria-busy", "true");
  try {
    const started = performance.now();
    const answer = await api.recommend(question()).catch(forgetVersion);
    const roundTrip = performance.now() - started;
    const past = state.user ? await api.history(state.user).catch(forgiveUnknown) : [...state.sent, ...state.told.map((id) => ({ item_id: id, event: "told" }))];
    await api.readItems([...answer.items.flatMap((line) => [line.item_id, ...(line.reason?.item_ids ?? [])]), ...past.map((event) => event.item_id).filter(Boolean)]);
    if (turn !== state.turn) return;
    $("trouble").hidden = true;
    Object.assign(state, { answer, roundTrip });
    showAnswer(compare);
    showPast(past, compare);
    keepAddress();
    await showProfile(past.length > 0, turn);
  } catch (error) {
    if (turn === state.turn) trouble(error);
  } finally {
    if (turn === state.turn) $("list").setAttribute("aria-busy", "false");
  }
}

// A server that started anew has issued fewer versions than this page remembers.
function forgetVersion(error) {
  if (error.status !== 409 || !state.minVersion) throw error;
  state.minVersion = 0;
  return api.recommend(question());
}

function forgiveUnknown(error) {
  if (error.status === 404) return [];
  throw error;
}

function keepAddress() {
  const parts = new URLSearchParams();
  if (state.user) parts.set("user", state.user);
  if ($("sentence").value.trim()) parts.set("text", $("sentence").value.trim());
  if (address.has("lang") || currentLanguage() === "zh") parts.set("lang", currentLanguage());
  history.replaceState(null, "", `?${parts}`);
}

// ---------------------------------------------------------------- showing

function showAnswer(compare) {
  const { answer } = state;
  const text = $("sentence").value.trim();
  const whom = t("forPerson", { who: state.user || t("visitor") });
  $("headline").textContent = text ? t("forText", { for: whom, text }) : whom;
  const { total, after } = view.stages(answer.timings_ms ?? {}, $("stack"), $("legend"));
  $("total").textContent = total ? total.toFixed(total < 10 ? 2 : 1) : "–";
  $("after").textContent = after ? t("reasons", { ms: milliseconds(after) }) : "";
  $("stamp").replaceChildren(...view.stamp(answer, state.roundTrip));
  $("empty").hidden = answer.items.length > 0;
  $("empty").textContent = t("nothing");

  const marks = compare ? marksOf(answer.items) : new Map();
  const before = places();
  $("list").replaceChildren(...answer.items.map((line, n) => view.row(line, n + 1, api.itemOf(line.item_id), {
    mark: marks.get(line.item_id), event: state.event, reason: view.reasonOf(line.reason, api.itemOf), act: () => act(line.item_id, answer.recommendation_id),
    similar: () => openSimilar(line.item_id), why: () => openWhy(line),
  })));
  if (compare) {
    glide(before);
    const fresh = [...marks.values()].filter((mark) => mark === "new").length;
    say(marks.size ? t("changed", { fresh, moved: marks.size - fresh }) : t("same"));
  }
  state.order = answer.items.map((line) => line.item_id);
}

function marksOf(items) {
  const marks = new Map();
  items.forEach(({ item_id: id }, now) => {
    const was = state.order.indexOf(id);
    if (was < 0) marks.set(id, "new");
    else if (was !== now) marks.set(id, was - now);
  });
  return marks;
}

const places = () => new Map([...$("list").children].map((row) => [row.dataset.id, row.getBoundingClientRect().top]));

function glide(before) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const row of $("list").children) {
    const was = before.get(row.dataset.id);
    const shift = was === undefined ? 0 : was - row.getBoundingClientRect().top;
    const frames = was === undefined ? [{ opacity: 0 }, { opacity: 1 }] : [{ transform: `translateY(${shift}px)` }, { transform: "none" }];
    if (was === undefined || shift) row.animate(frames, { duration: 420, easing: "cubic-bezier(.2,.8,.2,1)" });
  }
}

function showPast(events, compare) {
  $("past-count").textContent = events.length ? String(events.length) : "";
  const rows = events.map((event, n) => view.past(event, event.item_id ? api.itemOf(event.item_id) : { item_id: event.text || "–" }, compare && n === 0));
  $("history").replaceChildren(...(rows.length ? rows : [h("li", { class: "none" }, t("noHistory"))]));
}

async function showProfile(isKnown, turn) {
  $("profile").hidden = !state.user;
  if (!state.user) return;
  const told = isKnown || state.written === state.user ? await api.profile(state.user, currentLanguage()).catch(forgiveUnknown) : {};
  if (turn !== state.turn) return;
  $("profile-lines").replaceChildren(...view.profileLines(told.text));
  if (document.activeElement !== $("about-text")) $("about-text").value = told.about ?? "";
}

async function writeAbout(event) {
  event.preventDefault();
  try {
    const { version } = await api.writeProfile(state.user, { about: $("about-text").value.trim() || null });
    Object.assign(state, { minVersion: version, written: state.user });
    document.activeElement?.blur();
    say(t("saved"));
    await refresh({ compare: true });
  } catch (error) {
    trouble(error);
  }
}

// ---------------------------------------------------------------- doing

async function act(itemId, recommendationId) {
  const event = { item_id: itemId, event: state.event, event_id: crypto.randomUUID?.() ?? `${state.session}-${state.turn}-${Date.now()}` };
  if (recommendationId) event.recommendation_id = recommendationId;
  if (state.user) event.user_id = state.user;
  else event.session_id = state.session;
  try {
    const outcome = await api.sendEvent(event);
    if (outcome.rejected?.length) throw new api.ApiError(202, { message: outcome.rejected[0].reason });
    state.minVersion = outcome.version;
    if (!state.user) state.sent.unshift({ ...event, timestamp: Date.now() });
    say(t("sent", { event: nameOf(state.event), title: view.titleOf(api.itemOf(itemId)) }));
    await refresh({ compare: true });
    const row = $("list").querySelector(`[data-id="${CSS.escape(itemId)}"] .main`);
    (row ?? $("list")).focus({ preventScroll: true });
  } catch (error) {
    trouble(error);
  }
}

function choose(user) {
  state.user = user;
  state.order = [];
  $("person").value = user;
  refresh();
}

async function shuffle() {
  const users = await api.findUsers("", 1000).catch((error) => (trouble(error), []));
  const others = users.filter((user) => user !== state.user);
  if (others.length) choose(others[Math.floor(Math.random() * others.length)]);
}

// ---------------------------------------------------------------- drawer

function openDrawer(title, ...content) {
  $("drawer-title").textContent = title;
  $("drawer-body").replaceChildren(...content.flat());
  if (!$("drawer").open) $("drawer").showModal();
}

async function openSimilar(itemId) {
  const title = t("similarTo", { title: view.titleOf(api.itemOf(itemId)) });
  openDrawer(title, h("p", { class: "soft" }, t("loading")));
  try {
    const answer = await api.similar(itemId, 12);
    await api.readItems(answer.items.map((line) => line.item_id));
    const top = Math.max(...answer.items.map((line) => line.score), 1e-9);
    openDrawer(title, answer.items.length ? h("ol", { class: "near" }, answer.items.map((line) => near(line, top, answer))) : h("p", { class: "soft" }, t("nothing")));
  } catch (error) {
    openDrawer(title, h("p", { class: "soft" }, error.message || t("unreachable")));
  }
}

function near(line, top, answer) {
  const item = api.itemOf(line.item_id);
  const label = t("send", { event: nameOf(state.event), title: view.titleOf(item) });
  const send = () => { $("drawer").close(); act(line.item_id, answer.recommendation_id); };
  return h("li", {},
    h("button", { type: "button", class: "main", "aria-label": label, onclick: send },
      h("span", { class: "title" }, view.titleOf(item)), h("span", { class: "chip", "aria-hidden": "true" }, `+ ${nameOf(state.event)}`)),
    view.bars({ [t("score")]: line.score / top }, { sign: false }));
}

async function openWhy(line) {
  const item = api.itemOf(line.item_id);
  const title = t("whyTitle", { title: view.titleOf(item) });
  const shares = line.reason?.contributions ?? {};
  const head = [
    h("p", { class: "because" }, view.badge(line.source), view.reasonOf(line.reason, api.itemOf)),
    h("h3", {}, t("shares")),
    Object.keys(shares).length ? view.bars(shares) : h("p", { class: "soft" }, t("noShares")),
  ];
  openDrawer(title, head);
  try {
    const { text } = await api.itemProfile(line.item_id, currentLanguage());
    if (text) head.push(h("h3", {}, t("itemProfile")), h("dl", { class: "known" }, view.profileLines(text)));
    openDrawer(title, head);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
  if (!state.user) return;
  try {
    const { contributions, kind, because, ...told } = await api.explain(state.user, line.item_id);
    openDrawer(title, head, await grounds(because ?? []), view.tables(told));
  } catch (error) {
    openDrawer(title, head, h("p", { class: "soft" }, error.message || t("unreachable")));
  }
}

async function grounds(because) {
  const named = because.filter((ground) => ground.item_id);
  if (!named.length) return [];
  await api.readItems(named.map((ground) => ground.item_id));
  const weights = Object.fromEntries(named.map((ground) => [view.titleOf(api.itemOf(ground.item_id)), ground.weight ?? 0]));
  return [h("h3", {}, t("grounds")), view.bars(weights, { most: 8, sign: false, kind: "named" })];
}

function openAbout() {
  const { events, name, now_ms: now, ...told } = state.info;
  openDrawer(t("servedHere"), view.tables(told));
}

// Whoever answers is a visitor: what they tell belongs to nobody else's history.
function openOnboarding() {
  const show = (...content) => {
    openDrawer(t("newTitle"), content);
    $("asked-text")?.focus();
  };
  ask({ show, trouble: (error) => openDrawer(t("newTitle"), h("p", { class: "soft" }, error.message || t("unreachable"))), done: (items) => {
    state.told = items;
    choose("");
    say(t("newDone"));
  } });
}

function askForKey() {
  const input = h("input", { type: "password", id: "key", autocomplete: "off", required: true });
  const submit = (event) => { event.preventDefault(); api.useKey(input.value.trim()); $("drawer").close(); start(); };
  openDrawer(t("keyTitle"), h("form", { class: "key", onsubmit: submit },
    h("label", { for: "key" }, t("keyLabel")), input, h("button", { type: "submit", class: "solid" }, t("keyUse"))));
  input.focus();
}

// ---------------------------------------------------------------- wiring

function later(ms, work) {
  let wait;
  return () => { clearTimeout(wait); wait = setTimeout(work, ms); };
}

// Half a word of an input method is no word yet.
function typed(box, ms) {
  const ask = later(ms, () => refresh());
  box.addEventListener("input", (event) => { if (!event.isComposing) ask(); });
  box.addEventListener("compositionend", ask);
}

function wire() {
  combobox($("person"), $("people"), { suggest: (prefix) => api.findUsers(prefix), choose });
  $("shuffle").addEventListener("click", shuffle);
  $("language").addEventListener("click", () => { speak($("language").lang); refresh(); });
  typed($("sentence"), 300);
  $("sentence").addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); refresh(); } });
  typed($("filter"), 200);
  $("about-form").addEventListener("submit", writeAbout);
  $("k").addEventListener("change", () => refresh());
  $("event").addEventListener("change", () => { state.event = $("event").value; if (state.answer) showAnswer(false); });
  $("onboard").addEventListener("click", openOnboarding);
  $("about-open").addEventListener("click", openAbout);
  $("drawer-close").addEventListener("click", () => $("drawer").close());
  $("drawer").addEventListener("click", (event) => { if (event.target === $("drawer")) $("drawer").close(); });
}

async function start() {
  try {
    state.info = await api.about();
    state.event ||= state.info.target_event ?? state.info.events?.[0] ?? "interaction";
    showFacts();
    const first = address.get("user") ?? (address.get("text") ? "" : (await api.findUsers("", 1))[0] ?? "");
    choose(first);
  } catch (error) {
    trouble(error);
  }
}

speak(address.get("lang") ?? navigator.language);
$("sentence").value = address.get("text") ?? "";
wire();
start();
