// The map of the features: a canvas to zoom, drag and walk over with the keyboard.
"use strict";
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8f6cc1", "#8a8f2f"]; // Okabe and Ito 2008, two added
const SHAPES = ["circle", "square", "triangle", "diamond", "plus"];
const look = (code) => ({ colour: COLOURS[code % COLOURS.length], shape: SHAPES[(code + Math.floor(code / COLOURS.length)) % SHAPES.length] });

function trace(path, shape, x, y, r) {
  if (shape === "circle") path.arc(x, y, r, 0, 7);
  else if (shape === "square") path.rect(x - r * 0.88, y - r * 0.88, r * 1.76, r * 1.76);
  else if (shape === "plus") { const a = r * 1.15, b = r * 0.42; path.rect(x - a, y - b, 2 * a, 2 * b); path.rect(x - b, y - a, 2 * b, 2 * a); }
  else {
    const points = shape === "triangle" ? [[0, -1.25], [1.12, 0.8], [-1.12, 0.8]] : [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]];
    points.forEach(([dx, dy], at) => (at ? path.lineTo(x + dx * r, y + dy * r) : path.moveTo(x + dx * r, y + dy * r)));
    path.closePath();
  }
}

function swatch(code) {
  const { colour, shape } = look(code), ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg"), made = document.createElementNS(ns, "path");
  const parts = [];
  const pen = { arc: (x, y, r) => parts.push(`M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`), rect: (x, y, w, h) => parts.push(`M${x} ${y}h${w}v${h}h${-w}z`),
    moveTo: (x, y) => parts.push(`M${x} ${y}`), lineTo: (x, y) => parts.push(`L${x} ${y}`), closePath: () => parts.push("Z") };
  trace(pen, shape, 7, 7, 5);
  svg.setAttribute("viewBox", "0 0 14 14"); svg.setAttribute("aria-hidden", "true");
  made.setAttribute("d", parts.join("")); made.setAttribute("fill", colour);
  svg.append(made);
  return svg;
}

for (const holder of document.querySelectorAll("[data-map]")) {
  const target = data.targets[Number(holder.dataset.map)];
  const canvas = holder.querySelector("canvas"), pen = canvas.getContext("2d");
  const tip = el("div", { class: "tip", hidden: true }), said = holder.querySelector("[data-said]");
  holder.querySelector(".map").append(tip);
  const points = target.xy.map((xy, i) => (xy ? { i, x: xy[0], y: xy[1] } : null)).filter(Boolean);
  const view = { k: 1, x: 0, y: 0 }, pictures = new Map();
  let width = 0, height = 0, chosen = null, colouring = "y", only = new Set(), waiting = false;
  const MOST = 60, PAD = 26;

  const side = () => Math.min(width, height) - 2 * PAD;
  const place = (p) => [(width / 2) + ((p.x - 0.5 - view.x) * spreadX()) * view.k, (height / 2) + ((p.y - 0.5 - view.y) * spreadY()) * view.k];
  const spreadX = () => Math.max(side(), Math.min(width - 2 * PAD, side() * 1.5));
  const spreadY = () => Math.max(side(), Math.min(height - 2 * PAD, side() * 1.5));
  const code = (i) => (colouring === "called" ? target.called[i] : target.y[i]);
  const wrong = (i) => target.called[i] >= 0 && target.called[i] !== target.y[i];
  const shown = (i) => (!only.size || only.has(code(i)));
  const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };

  function image(i) {
    if (!pictures.has(i)) {
      const made = new Image();
      made.onload = redraw;
      made.src = data.items[i].picture;
      pictures.set(i, made);
    }
    const own = pictures.get(i);
    return own.complete && own.naturalWidth ? own : null;
  }

  function draw() {
    waiting = false;
    const style = getComputedStyle(holder), ratio = devicePixelRatio || 1;
    const ink = style.getPropertyValue("color"), paper = getComputedStyle(holder.querySelector(".map")).backgroundColor;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const near = points.filter((p) => { const [x, y] = place(p); return x > -40 && x < width + 40 && y > -40 && y < height + 40; });
    const close = near.length <= 140 || view.k >= 14;
    const n = points.length, r = Math.min(8, (n < 150 ? 6 : n < 600 ? 4.8 : n < 1500 ? 4 : 3.3) + Math.log2(view.k) * 0.7);
    const order = [...near].sort((a, b) => (shown(a.i) - shown(b.i)) || (wrong(a.i) - wrong(b.i)));
    let drawn = 0;
    for (const p of order) {
      const [x, y] = place(p), { colour, shape } = look(Math.max(code(p.i), 0));
      pen.globalAlpha = shown(p.i) ? 0.9 : 0.12;
      const own = close && shown(p.i) && drawn < 200 && data.items[p.i].picture ? image(p.i) : null;
      if (own) {
        drawn++;
        const size = Math.min(64, 30 + 4 * Math.log2(view.k)), scale = size / Math.max(own.naturalWidth, own.naturalHeight);
        const w = own.naturalWidth * scale, h = own.naturalHeight * scale;
        pen.drawImage(own, x - w / 2, y - h / 2, w, h);
        pen.lineWidth = 3; pen.strokeStyle = colour; pen.strokeRect(x - w / 2, y - h / 2, w, h);
        if (wrong(p.i)) { pen.lineWidth = 2; pen.strokeStyle = ink; pen.strokeRect(x - w / 2 - 3, y - h / 2 - 3, w + 6, h + 6); }
        continue;
      }
      pen.beginPath();
      trace(pen, shape, x, y, r);
      pen.fillStyle = code(p.i) < 0 ? paper : colour;
      pen.fill();
      if (wrong(p.i) || code(p.i) < 0) { pen.lineWidth = 1.2; pen.strokeStyle = ink; pen.stroke(); }
    }
    pen.globalAlpha = 1;
    if (chosen) {
      const [x, y] = place(chosen);
      for (const [style, line] of [[paper, 6], [ink, 2.5]]) { pen.beginPath(); pen.arc(x, y, r + 7, 0, 7); pen.strokeStyle = style; pen.lineWidth = line; pen.stroke(); }
    }
  }

  function choose(p, aloud) {
    chosen = p;
    tip.hidden = !p;
    if (p) {
      const [x, y] = place(p), item = data.items[p.i];
      tip.replaceChildren(...[item.picture ? el("img", { src: item.picture, alt: "" }) : item.text ? el("span", { class: "words" }, item.text.slice(0, 140)) : null,
        verdict(p.i, target), data.modality === "text" ? null : el("span", { class: "soft" }, el("br"), item.name.slice(-60))].filter(Boolean));
      const w = tip.offsetWidth, h = tip.offsetHeight;
      tip.style.left = `${Math.max(6, Math.min(width - w - 6, x + 14 + w > width ? x - w - 14 : x + 14))}px`;
      tip.style.top = `${Math.max(6, Math.min(height - h - 6, y + 14 + h > height ? y - h - 14 : y + 14))}px`;
      if (aloud) said.textContent = `${nameOf(p.i).slice(0, 80)}: ${verdict(p.i, target).textContent}`;
    }
    redraw();
  }

  function nearest(x, y, most) {
    let best = null, least = most * most;
    for (const p of points) {
      if (!shown(p.i)) continue;
      const [px, py] = place(p), distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) { least = distance; best = p; }
    }
    return best;
  }

  function zoom(factor, cx = width / 2, cy = height / 2) {
    const before = view.k;
    view.k = Math.min(MOST, Math.max(1, view.k * factor));
    const gain = 1 / before - 1 / view.k;
    view.x += ((cx - width / 2) / spreadX()) * gain;
    view.y += ((cy - height / 2) / spreadY()) * gain;
    if (view.k === 1) view.x = view.y = 0;
    canvas.style.touchAction = view.k > 1 ? "none" : "pan-y";
    tip.hidden = true;
    redraw();
  }

  function walk(dx, dy) {
    if (!chosen) { choose(nearest(width / 2, height / 2, 1e9), true); return; }
    const [x, y] = place(chosen);
    let best = null, least = Infinity;
    for (const p of points) {
      if (p === chosen || !shown(p.i)) continue;
      const [px, py] = place(p), along = (px - x) * dx + (py - y) * dy, across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (along < 1 || across > 2 * along) continue;
      const cost = along + 2 * across;
      if (cost < least) { least = cost; best = p; }
    }
    if (!best) return;
    const [bx, by] = place(best);
    if (bx < 0 || bx > width || by < 0 || by > height) { view.x += (bx - width / 2) / spreadX() / view.k; view.y += (by - height / 2) / spreadY() / view.k; }
    choose(best, true);
  }

  const keys = { ArrowLeft: () => walk(-1, 0), ArrowRight: () => walk(1, 0), ArrowUp: () => walk(0, -1), ArrowDown: () => walk(0, 1),
    "+": () => centred(1.6), "=": () => centred(1.6), "-": () => centred(1 / 1.6), 0: () => reset(),
    Enter: () => chosen && open(chosen), " ": () => chosen && open(chosen), Escape: () => choose(null) };
  const centred = (factor) => { zoom(factor, ...(chosen ? place(chosen) : [width / 2, height / 2])); if (chosen) choose(chosen); };
  const reset = () => { zoom(1 / view.k); choose(null); };
  const open = (p) => { const [x, y] = place(p);
    const around = points.filter((q) => shown(q.i)).map((q) => [q, (place(q)[0] - x) ** 2 + (place(q)[1] - y) ** 2]).sort((a, b) => a[1] - b[1]).slice(0, 24);
    dialog.list = null; dialog.one(p.i, target, around.map(([q]) => q.i)); };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible") && !chosen) choose(nearest(width / 2, height / 2, 1e9), true); });
  canvas.addEventListener("blur", () => choose(null));

  const touches = new Map();
  let dragged = 0;
  const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", (event) => { touches.set(event.pointerId, at(event)); dragged = 0; if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event), before = touches.get(event.pointerId);
    if (!before) { if (event.pointerType === "mouse") choose(nearest(x, y, 18)); return; }
    if (touches.size === 2) {
      const [, other] = [...touches].find(([id]) => id !== event.pointerId);
      const span = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
      zoom(span([x, y]) / Math.max(span(before), 1), (x + other[0]) / 2, (y + other[1]) / 2);
    } else if (event.pointerType === "mouse" || view.k > 1) {
      view.x -= (x - before[0]) / spreadX() / view.k;
      view.y -= (y - before[1]) / spreadY() / view.k;
      tip.hidden = true;
      redraw();
    }
    dragged += Math.hypot(x - before[0], y - before[1]);
    touches.set(event.pointerId, [x, y]);
  });
  const up = (event) => {
    if (touches.delete(event.pointerId) && event.type === "pointerup" && dragged < 5) {
      const found = nearest(...at(event), event.pointerType === "mouse" ? 18 : 28);
      if (found && (event.pointerType === "mouse" || found === chosen)) open(found); else choose(found);
    }
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && document.activeElement !== canvas) choose(null); });
  canvas.addEventListener("dblclick", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return; // the page scrolls; a map that is in use zooms
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.004), ...at(event));
  }, { passive: false });

  const legend = holder.querySelector(".legend");
  function explain() {
    const counts = new Map();
    for (const p of points) counts.set(code(p.i), (counts.get(code(p.i)) || 0) + 1);
    legend.replaceChildren(...target.classes.map((name, c) => counts.has(c) ? el("li", {}, el("button", { type: "button", "aria-pressed": String(only.has(c)), onclick: (event) => {
      if (only.has(c)) only.delete(c); else only.add(c);
      event.currentTarget.setAttribute("aria-pressed", String(only.has(c)));
      choose(null);
    } }, swatch(c), `${name} `, el("span", { class: "soft" }, String(counts.get(c))))) : null).filter(Boolean));
  }
  holder.querySelector("select").addEventListener("change", (event) => { colouring = event.target.value; only = new Set(); explain(); choose(null); });
  for (const button of holder.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", () => (button.dataset.zoom === "0" ? reset() : zoom(Number(button.dataset.zoom))));
  explain();
  document.addEventListener("theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(() => {
    const box = canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1;
    [width, height] = [box.width, box.height];
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    draw();
  }).observe(canvas);
}
