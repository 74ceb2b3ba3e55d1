// The page: desk, guide, and a tab for each view.
import { backward, crossEntropy, oneHot, stepped } from "./backward.js";
import { mountDesk } from "./desk.js";
import { el, fill, number, percent } from "./dom.js";
import { explain } from "./explain.js";
import { answerTo, countCorrect, loadNetwork, parametersOf, withParameters } from "./forward.js";
import { createLesson } from "./lesson.js";
import * as layers from "./layers.js";
import * as why from "./why.js";
import * as learn from "./learn.js";
import * as film from "./film.js";
import * as breaking from "./break.js";
import * as compare from "./compare.js";
import { mountGuide } from "./guide.js";

// Each has an id (its texts are texts.views[id]), available(lesson), and mount(container, lesson) that returns {update(change)}.
const VIEWS = [layers, why, learn, film, breaking, compare];

function mountTabs(lesson) {
  const tabs = document.getElementById("tabs"), panels = document.getElementById("views");
  const views = VIEWS.filter((view) => view.available(lesson)).map((view) => ({ id: view.id, view, mounted: null }));
  for (const each of views) {
    const { title } = lesson.texts.views[each.id];
    each.tab = el("button", { type: "button", role: "tab", id: `tab-${each.id}`, "aria-controls": `view-${each.id}`, onclick: () => open(each.id) }, title);
    each.panel = el("section", { role: "tabpanel", id: `view-${each.id}`, "aria-labelledby": `tab-${each.id}`, class: "panel", hidden: true });
    tabs.append(each.tab);
    panels.append(each.panel);
  }
  // A view is built when it is first opened, and told of changes only while it is seen.
  function open(id) {
    lesson.view = id;
    for (const each of views) {
      const chosen = each.id === id;
      each.tab.setAttribute("aria-selected", chosen);
      each.tab.tabIndex = chosen ? 0 : -1;
      each.panel.hidden = !chosen;
      if (!chosen) continue;
      each.mounted ??= each.view.mount(each.panel, lesson);
      each.mounted.update("open");
    }
  }
  tabs.addEventListener("keydown", (event) => {
    const at = views.findIndex(({ id }) => id === lesson.view);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + views.length, Home: 0, End: views.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    open(views[to % views.length].id);
    views[to % views.length].tab.focus();
  });
  lesson.onChange((change) => views.find(({ id }) => id === lesson.view)?.mounted.update(change));
  lesson.open = open;
  lesson.hasView = (id) => views.some((each) => each.id === id);
  open(views[0].id);
}

function showFacts(lesson) {
  const { facts } = lesson.networks[0], [low, high] = facts.test_interval;
  const values = { ...facts, parameters: facts.parameters.toLocaleString("en"), images: facts.test_images.toLocaleString("en"),
    accuracy: percent(facts.test_correct / facts.test_images, 2), low: percent(low, 2), high: percent(high, 2), temperature: number(lesson.network.temperature) };
  document.getElementById("facts").textContent = fill(lesson.texts.page.facts, values) + (facts.bits === 32 ? "" : ` ${lesson.texts.page.rounded}`);
}

async function start() {
  const lesson = await createLesson(JSON.parse(document.getElementById("payload").textContent));
  // For the console of a curious reader, and for tests.
  globalThis.lesson = lesson;
  lesson.tools = { answerTo, backward, countCorrect, crossEntropy, explain, loadNetwork, oneHot, parametersOf, stepped, withParameters };
  showFacts(lesson);
  mountDesk(document.getElementById("desk"), lesson);
  mountTabs(lesson);
  mountGuide(document.getElementById("guide"), lesson);
  await lesson.showNext("samples");
  document.documentElement.dataset.ready = "yes";
  return lesson;
}

globalThis.ready = start();
