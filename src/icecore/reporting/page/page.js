// The items of a report: galleries, the dialog that shows them, the table of all of them.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const percent = (p) => `${p > 0.995 && p < 1 ? "over 99" : p < 0.005 && p > 0 ? "under 1" : Math.round(100 * p)}\u00a0%`;

/** An element with attributes and children; texts are only ever texts. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function nameOf(i) {
  const item = data.items[i];
  return item.text && data.modality === "text" ? item.text : item.name;
}

function picture(i) {
  const item = data.items[i];
  if (item.picture) return el("span", { class: "picture" }, el("img", { src: item.picture, alt: "", decoding: "async" }));
  if (item.text) return el("span", { class: "words" }, item.text);
  return el("span", { class: "picture" }, el("span", { class: "lost" }, item.lost || "no picture"));
}

/** What the item is labelled and what the model called it, unseen. */
function verdict(i, target) {
  const own = target.classes[target.y[i]];
  if (target.called[i] < 0) return el("span", { class: "verdict" }, el("b", {}, own), " · not scored");
  const called = target.classes[target.called[i]];
  const sure = percent(target.top[i][0][1]);
  if (target.y[i] === target.called[i]) return el("span", { class: "verdict" }, el("b", {}, own), ` · right, ${sure} sure`);
  return el("span", { class: "verdict" }, el("b", {}, own), el("span", { class: "is-wrong" }, ` called ${called}, ${sure} sure`));
}

function card(i, target, siblings, caption) {
  const said = caption ? el("span", { class: "verdict" }, caption) : verdict(i, target);
  const shown = data.modality === "text" ? null : el("span", { class: "name" }, data.items[i].name);
  return el("li", {}, el("button", { class: "card", type: "button", onclick: () => dialog.one(i, target, siblings) }, picture(i), said, shown));
}

function gallery(indices, target, captions) {
  const kind = data.modality === "text" ? "gallery texts" : `gallery ${data.modality}`;
  return el("ul", { class: kind }, ...indices.map((i, at) => card(i, target, indices, captions && captions[at])));
}

/** The dialog: a list of items, or one of them. */
const dialog = {
  own: document.getElementById("items"),
  list: null,

  show(title, body, back) {
    const top = el("div", { class: "top" },
      back ? el("button", { class: "control", type: "button", onclick: back }, "← All of them") : null,
      el("h2", { id: "items-title", tabindex: "-1" }, title),
      el("button", { class: "control", type: "button", onclick: () => this.own.close() }, "Close"));
    this.own.replaceChildren(top, el("div", { class: "body" }, ...body));
    this.own.scrollTop = 0;
    if (!this.own.open) this.own.showModal();
    this.own.querySelector("h2").focus();
  },

  several(title, indices, total, target) {
    this.list = () => this.several(title, indices, total, target);
    const step = 60;
    const holder = el("div", {}, gallery(indices.slice(0, step), target));
    const more = el("button", { class: "control", type: "button" }, "Show more");
    const rest = () => { more.hidden = holder.querySelectorAll("li").length >= indices.length; };
    more.addEventListener("click", () => {
      const list = holder.querySelector("ul"), at = list.children.length;
      list.append(...gallery(indices.slice(at, at + step), target).children);
      list.children[at].querySelector("button").focus();
      rest();
    });
    const left = total > indices.length ? el("p", { class: "soft small" }, `${indices.length} of ${total} are on this page.`) : null;
    rest();
    this.show(title, [left, holder, el("p", {}, more)].filter(Boolean), null);
  },

  one(i, target, siblings = [i]) {
    if (!this.own.open) this.list = null;
    const item = data.items[i], at = siblings.indexOf(i);
    const go = (step) => this.one(siblings[(at + step + siblings.length) % siblings.length], target, siblings);
    const look = data.modality === "text" ? el("div", { class: "words" }, item.text || item.name) : el("div", { class: data.modality }, picture(i));
    const look2 = item.picture && item.text ? el("p", {}, item.text) : null;
    const sound = item.sound ? el("audio", { controls: true, preload: "none", src: item.sound }) : null;
    const about = [el("p", {}, verdict(i, target))];
    if (target.top[i].length) {
      about.push(el("p", { class: "soft small" }, "What a model that had not seen it said:"));
      about.push(el("div", { class: "chances" }, ...target.top[i].flatMap(([code, p]) => [
        el("span", {}, target.classes[code] + (code === target.y[i] ? " (its label)" : "")),
        el("meter", { min: 0, max: 1, value: p, "aria-label": target.classes[code] }), el("span", {}, percent(p))])));
    }
    if (data.modality !== "text") about.push(el("p", { class: "small" }, el("span", { class: "soft" }, "Item: "), el("code", {}, item.name)));
    const steps = siblings.length > 1 ? el("p", { class: "controls" },
      el("button", { class: "control", type: "button", onclick: () => go(-1) }, "← Previous"),
      el("button", { class: "control", type: "button", onclick: () => go(1) }, "Next →"),
      el("span", { class: "soft" }, `${at + 1} of ${siblings.length}`)) : null;
    const body = el("div", { class: "one" }, el("div", {}, look, look2, sound), el("div", {}, ...about, steps));
    this.show(nameOf(i).slice(0, 80), [body], this.list);
    this.own.onkeydown = (event) => {
      if (event.target.closest("audio")) return;
      if (siblings.length > 1 && event.key === "ArrowRight") go(1);
      if (siblings.length > 1 && event.key === "ArrowLeft") go(-1);
    };
  },
};
dialog.own.addEventListener("close", () => { dialog.own.onkeydown = null; dialog.list = null; dialog.own.replaceChildren(); });
dialog.own.addEventListener("click", (event) => { if (event.target === dialog.own) dialog.own.close(); });

/** Cells of confusion matrices: a click opens their items; small matrices show one of each. */
for (const button of document.querySelectorAll("button[data-cell]")) {
  const [which, y, called] = button.dataset.cell.split(" ").map(Number);
  const target = data.targets[which];
  const own = [];
  for (let i = 0; i < data.items.length; i++) if (target.y[i] === y && target.called[i] === called) own.push(i);
  own.sort((a, b) => target.top[b][0][1] - target.top[a][0][1]);
  const title = y === called ? `${target.classes[y]}, rightly called so` : `${target.classes[y]} called ${target.classes[called]}`;
  button.addEventListener("click", () => dialog.several(`${title}: ${button.dataset.total}`, own, Number(button.dataset.total), target));
  const first = own.find((i) => data.items[i].picture);
  if (button.dataset.look !== undefined && y !== called && first !== undefined)
    button.prepend(el("img", { src: data.items[first].picture, alt: "" }));
}

for (const holder of document.querySelectorAll("[data-gallery]")) {
  const target = data.targets[Number(holder.dataset.target)];
  const found = target.galleries[holder.dataset.gallery];
  const kept = found.rows.length > 12 ? 12 : found.rows.length;
  holder.append(gallery(found.rows.slice(0, kept), target, found.captions.slice(0, kept)));
  if (found.rows.length > kept) {
    const more = el("button", { class: "control", type: "button" }, `Show ${found.rows.length - kept} more`);
    more.addEventListener("click", () => {
      const list = holder.querySelector("ul");
      const all = gallery(found.rows, target, found.captions);
      list.append(...[...all.children].slice(kept));
      list.children[kept].querySelector("button").focus();
      more.parentElement.remove();
    });
    holder.append(el("p", {}, more));
  }
}
for (const holder of document.querySelectorAll("[data-groups]")) {
  const target = data.targets[Number(holder.dataset.target)];
  const found = target.groups[holder.dataset.groups];
  holder.append(el("ul", { class: "pairs" }, ...found.map((group) => el("li", {},
    group.tag ? el("span", { class: "tag" }, group.tag) : null, group.tag ? " " : null, group.said,
    gallery(group.rows, target, group.captions)))));
}

/** The table of all items: filtered, sorted, a page at a time. */
for (const holder of document.querySelectorAll("[data-table]")) {
  const target = data.targets[Number(holder.dataset.table)];
  const state = { label: "", outcome: "", order: "file", at: 0 };
  const step = 25;
  const choice = (label, name, options) => el("label", {}, label, el("select", { class: "control", onchange: (event) => {
    state[name] = event.target.value; state.at = 0; draw();
  } }, ...options.map(([value, text]) => el("option", { value }, text))));
  const classes = target.classes.map((name, code) => [String(code), name]);
  const body = el("tbody"), said = el("span", { class: "soft", role: "status" });
  const back = el("button", { class: "control", type: "button", onclick: () => { state.at -= step; draw(); } }, "← Previous");
  const next = el("button", { class: "control", type: "button", onclick: () => { state.at += step; draw(); } }, "Next →");
  const sure = (i) => (target.top[i].length ? target.top[i][0][1] : -1);
  const orders = { file: (a, b) => a - b, sure: (a, b) => sure(b) - sure(a), unsure: (a, b) => sure(a) - sure(b) };
  const kept = (i) => (state.label === "" || target.y[i] === Number(state.label)) && (state.outcome === ""
    || (state.outcome === "none" ? target.called[i] < 0 : target.called[i] >= 0 && (target.y[i] === target.called[i]) === (state.outcome === "right")));
  function draw() {
    const found = [...data.items.keys()].filter(kept).sort(orders[state.order]);
    const page = found.slice(state.at, state.at + step);
    body.replaceChildren(...page.map((i) => el("tr", {},
      el("th", { scope: "row" }, el("button", { class: "link", type: "button", onclick: () => { dialog.list = null; dialog.one(i, target, found); } }, nameOf(i).slice(0, 90))),
      el("td", {}, target.classes[target.y[i]]),
      el("td", {}, target.called[i] < 0 ? "–" : target.classes[target.called[i]]),
      el("td", { class: "n" }, target.top[i].length ? percent(sure(i)) : "–"),
      el("td", {}, target.called[i] < 0 ? "not scored" : target.y[i] === target.called[i] ? "right" : el("span", { class: "is-wrong" }, "wrong")))));
    said.textContent = found.length ? `${state.at + 1} to ${state.at + page.length} of ${found.length}` : "No item is like that.";
    back.disabled = state.at === 0; next.disabled = state.at + step >= found.length;
  }
  const head = ["Item", "Labelled", "Called", "Sure", "Outcome"].map((name) => el("th", { scope: "col", class: name === "Sure" ? "n" : null }, name));
  holder.append(
    el("div", { class: "controls" },
      choice("Labelled", "label", [["", "any"], ...classes]),
      choice("Outcome", "outcome", [["", "any"], ["right", "right"], ["wrong", "wrong"], ["none", "not scored"]]),
      choice("First", "order", [["file", "as in the data"], ["sure", "the surest"], ["unsure", "the least sure"]])),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Items" }, el("table", { class: "figures" }, el("thead", {}, el("tr", {}, ...head)), body)),
    el("div", { class: "controls" }, back, next, said));
  draw();
}

/** The table of contents follows the reader; folded on small screens. */
const wide = matchMedia("(min-width: 64rem)");
const contents = document.querySelector("nav.contents details");
const unfold = () => { contents.open = wide.matches; };
wide.addEventListener("change", unfold);
unfold();
const links = new Map([...document.querySelectorAll("nav.contents a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "-20% 0px -70% 0px" });
for (const section of document.querySelectorAll("section[id]")) seen.observe(section);

const theme = document.getElementById("theme");
theme.addEventListener("click", () => {
  const dark = document.documentElement.style.colorScheme
    ? document.documentElement.style.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.style.colorScheme = dark ? "light" : "dark";
  theme.setAttribute("aria-pressed", String(!dark));
  document.dispatchEvent(new Event("theme"));
});
