// A text box with suggestions, after the ARIA combobox pattern.

import { h } from "./view.js";
import { t } from "./i18n.js";

export function combobox(input, list, { suggest, choose }) {
  let options = [];
  let active = -1;
  let asked = 0;

  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  const mark = (index) => {
    active = index;
    [...list.children].forEach((option, n) => option.setAttribute("aria-selected", String(n === index)));
    const option = list.children[index];
    if (!option) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };

  const pick = (value) => {
    input.value = value;
    close();
    choose(value);
  };

  const open = async (prefix = input.value.trim()) => {
    const turn = ++asked;
    const found = await suggest(prefix).catch(() => []);
    if (turn !== asked || document.activeElement !== input) return;
    options = found;
    list.replaceChildren(
      ...found.map((value, n) =>
        h("li", { id: `${list.id}-${n}`, role: "option", "aria-selected": "false", onpointerdown: (e) => { e.preventDefault(); pick(value); } }, value)),
      ...(found.length ? [] : [h("li", { class: "none", role: "presentation" }, t("noPeople"))]),
    );
    list.hidden = false;
    active = -1;
    input.setAttribute("aria-expanded", "true");
  };

  let wait;
  input.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => open(), 120); });
  input.addEventListener("focus", () => { input.select(); open(""); });
  input.addEventListener("blur", () => { clearTimeout(wait); asked++; close(); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) open();
      else if (options.length) mark((active + step + options.length) % options.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(wait);
      asked++;
      pick(options[active] ?? input.value.trim());
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
}
