// Questions to somebody new, one after another; what is answered becomes a history.

import * as api from "./api.js";
import { currentLanguage, t } from "./i18n.js";
import { h } from "./view.js";

// `show(...elements)` puts a question on the page, `done(history)` takes what the answers are worth.
export async function ask({ answers = [], show, done, trouble }) {
  const next = (answer) => ask({ answers: [...answers, answer], show, done, trouble });
  const again = () => ask({ show, done, trouble });
  try {
    const { question, history } = await api.onboarding(answers, currentLanguage());
    if (question) return show(asked(question, answers.length + 1, next));
    if (!answers.length) return show(h("p", { class: "soft" }, t("newNothing")));
    show(h("p", { class: "soft" }, t("newDone")), h("button", { type: "button", class: "quiet", onclick: again }, t("startAgain")));
    done(history);
  } catch (error) {
    trouble(error);
  }
}

function asked(question, n, answer) {
  const choice = (label, place, kind) => h("li", {}, h("button", { type: "button", class: `choice ${kind}`, onclick: () => answer(place) }, label));
  return h("section", { class: "asked", "aria-labelledby": "asked-text" },
    h("p", { class: "soft" }, t("questionN", { n })),
    h("h3", { id: "asked-text", tabindex: "-1" }, question.text),
    h("ol", { class: "choices" }, question.options.map((option, place) => choice(option.label, place, "")), choice(question.none, -1, "none")));
}
