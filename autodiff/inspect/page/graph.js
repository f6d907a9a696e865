// Modules and operations are one tree; an edge stands in the innermost module that holds both of its ends.
const top_ = { children: [], links: new Map(), open: true, text: "" };
const modules = data.layers.map((layer) => ({
  kind: "module", layer, children: [], links: new Map(), open: false, label: layer.label, type: layer.kind,
  note: [layer.shape, layer.parameters ? `${number(layer.parameters)} parameters` : ""].filter(Boolean).join(" · "),
  text: [layer.name, layer.kind, ...layer.names].join(" ").toLowerCase(),
}));
modules.forEach((item, i) => { item.parent = modules[data.layers[i].parent] ?? top_; });
const operations = data.graph.map((node) => ({
  kind: node.end ? "end" : "op", label: node.times > 1 ? `${node.name} ×${node.times}` : node.name,
  parent: modules[node.module] ?? top_,
  note: [node.shape, node.parameters.join(", ")].filter(Boolean).join(" · "),
  text: [node.name, ...node.parameters].join(" ").toLowerCase(),
}));
function above(item) {
  const chain = [];
  for (; item; item = item.parent) chain.unshift(item);
  return chain;
}
operations.forEach((item, i) => {
  const chain = above(item);
  for (let k = 1; k < chain.length; k++) {
    if (chain[k].order === undefined) { chain[k].order = i; chain[k - 1].children.push(chain[k]); }
  }
  for (const parent of data.graph[i].parents) {
    const from = above(operations[parent]);
    let k = 1;
    while (from[k] === chain[k]) k++;
    const links = chain[k - 1].links;
    if (!links.has(from[k])) links.set(from[k], new Set());
    links.get(from[k]).add(chain[k]);
    for (const inner of from.slice(k + 1)) inner.leaves = true;
    for (const inner of chain.slice(k + 1)) inner.enters = true;
  }
});

const FIRST = 100, LAST = 50, GAP = 26, ROW = 30, HEIGHT = 38, PAD = 14, TITLE = 24;
const measure = document.createElement("canvas").getContext("2d");
measure.font = "12px Helvetica, Arial, sans-serif";
const wide = (text) => Math.ceil(measure.measureText(text).width);
const titleOf = (item) => item.kind === "module"
  ? `${item.open ? "▾" : "▸"} ${item.label ? `${item.label}: ` : ""}${item.type}` : item.label;

// Gives every item of an open module its place inside it, and the module its size.
function place(module) {
  // Of very many the first and the last, and those that somebody looks for.
  const late = module.children.length - LAST;
  const items = module.children.filter((item, i) => i < FIRST || i >= late || item.open || item.match);
  const shown = new Set(items);
  module.shown = items;
  module.missing = module.children.length - items.length;
  const before = new Map(items.map((item) => [item, []])), after = new Map(items.map((item) => [item, []]));
  for (const [from, others] of module.links) for (const to of others) {
    if (shown.has(from) && shown.has(to) && from.order < to.order) { before.get(to).push(from); after.get(from).push(to); }
  }
  for (const item of items) {
    if (item.kind === "module" && item.open) place(item);
    else { item.width = Math.max(wide(titleOf(item)), wide(item.note) * 0.95) + 24; item.height = item.note ? HEIGHT : 26; }
    item.rank = Math.max(-1, ...before.get(item).map((other) => other.rank)) + 1;
  }
  // What nothing shown leads to stands right above what reads it.
  for (const item of [...items].reverse()) {
    if (!before.get(item).length && !item.enters && after.get(item).length) {
      item.rank = Math.max(0, Math.min(...after.get(item).map((other) => other.rank)) - 1);
    }
  }
  const rows = [];
  for (const item of items) (rows[item.rank] ??= []).push(item);
  let y = module === top_ ? PAD : TITLE + PAD;
  for (const row of rows) {
    for (const item of row) {
      const from = before.get(item);
      item.wish = from.length ? from.reduce((sum, other) => sum + other.x + other.width / 2, 0) / from.length : 0;
    }
    row.sort((a, b) => a.wish - b.wish || a.order - b.order);
    let right = -Infinity, drift = 0;
    for (const item of row) {
      item.x = Math.max(item.wish - item.width / 2, right + GAP);
      right = item.x + item.width;
      drift += item.x + item.width / 2 - item.wish;
    }
    for (const item of row) { item.x -= drift / row.length; item.y = y; }
    y += Math.max(...row.map((item) => item.height)) + ROW;
  }
  const left = Math.min(0, ...items.map((item) => item.x));
  for (const item of items) item.x += PAD - left;
  // Edges that pass rows go around them, each in a lane of its own.
  module.edges = [];
  let lanes = 0, reach = Math.max(0, ...items.map((item) => item.x + item.width));
  for (const from of items) for (const to of after.get(from)) {
    const passed = rows.slice(from.rank + 1, to.rank).flat();
    const x = passed.length ? Math.max(...passed.map((item) => item.x + item.width)) + 12 + 7 * (lanes++ % 8) : null;
    reach = Math.max(reach, x ?? 0);
    module.edges.push({ from, to, x });
  }
  // What comes from outside into a later row, past the first ones, has a lane as well.
  for (const to of items.filter((item) => module !== top_ && item.enters && item.rank > 0)) {
    const passed = rows.slice(0, to.rank).flat();
    const x = Math.max(...passed.map((item) => item.x + item.width)) + 12 + 7 * (lanes++ % 8);
    reach = Math.max(reach, x);
    module.edges.push({ from: null, to, x });
  }
  const note = module.missing ? 20 : 0;
  module.width = Math.max(reach + PAD, module === top_ ? 0 : wide(titleOf(module)) + 2 * PAD, note ? 260 : 0);
  module.height = y - ROW + PAD + note;
}

function paint(module, into, dx, dy) {
  const curve = (x0, y0, x1, y1) => `C${x0},${(y0 + y1) / 2} ${x1},${(y0 + y1) / 2} ${x1},${y1}`;
  const edge = (path) => into.append(draw("path", { class: "edge", d: path, "marker-end": "url(#arrow)" }));
  for (const { from, to, x } of module.edges) {
    if (!from) {
      const end = dy + to.y - ROW;
      edge(`M${dx + x},${dy + TITLE} L${dx + x},${end} ${curve(dx + x, end, dx + to.x + to.width / 2, dy + to.y)}`);
      continue;
    }
    const x0 = dx + from.x + from.width / 2, y0 = dy + from.y + from.height, x1 = dx + to.x + to.width / 2, y1 = dy + to.y;
    const lane = x === null ? "" : `${curve(x0, y0, dx + x, y0 + ROW)} L${dx + x},${y1 - ROW} `;
    edge(`M${x0},${y0} ${lane}${x === null ? curve(x0, y0, x1, y1) : curve(dx + x, y1 - ROW, x1, y1)}`);
  }
  for (const item of module.shown) {
    const x = dx + item.x, y = dy + item.y, middle = x + item.width / 2;
    if (module !== top_ && item.enters && item.rank === 0) edge(`M${middle},${dy + TITLE} L${middle},${y}`);
    if (module !== top_ && item.leaves) {
      into.append(draw("path", { class: "edge", "stroke-dasharray": "2 3", d: `M${middle},${y + item.height} v10` }));
    }
    into.append(boxOf(item, x, y));
    if (item.open) paint(item, into, x, y);
  }
  if (module.missing) {
    const text = draw("text", { class: "soft", x: dx + PAD, y: dy + module.height - 8 });
    text.textContent = `${number(module.missing)} more, between these, are not drawn`;
    into.append(text);
  }
}

function boxOf(item, x, y) {
  const group = draw("g", { class: item.match ? "match" : "" });
  const { width, height } = item;
  group.append(draw("rect", { class: `box ${item.kind}`, x, y, width, height, rx: item.kind === "op" ? 12 : 4 }));
  const heat = item.kind === "module" && !item.open ? heatOf(item.layer) : 0;
  if (heat) {
    group.append(draw("rect", { x, y, width, height, rx: 4, fill: "var(--heat)", "fill-opacity": (0.75 * heat).toFixed(3) }));
  }
  const line = (text, top, kind) => {
    const left = item.open ? { x: x + 8 } : { x: x + width / 2, "text-anchor": "middle" };
    group.append(draw("text", { ...left, y: y + top, class: kind }, text));
  };
  line(titleOf(item), item.open || item.note ? 16 : 17, "");
  if (item.note && !item.open) line(item.note, 31, heat ? "small" : "soft");
  group.prepend(draw("title", {}, [item.layer?.name, item.type ?? item.label, item.note].filter(Boolean).join("\n")));
  if (item.kind === "module") {
    Object.entries({ role: "button", tabindex: 0, "aria-expanded": item.open, "data-name": item.layer.name })
      .forEach(([name, value]) => group.setAttribute(name, value));
    const toggle = () => { item.open = !item.open; show(); document.querySelector(`[data-name="${CSS.escape(item.layer.name)}"]`)?.focus({ preventScroll: true }); };
    group.addEventListener("click", toggle);
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(); }
    });
  }
  item.element = group;
  return group;
}

// Compared with what is shown beside it: a module around all of them would leave the others pale.
function heatOf(layer) {
  const key = $("colour").value;
  const beside = modules.filter((item) => !item.open && above(item.parent).every((outer) => outer.open));
  const values = beside.map((item) => item.layer[key]).filter((value) => value > 0);
  if (!key || !(layer[key] > 0)) return 0;
  // Gradients differ by orders of magnitude, the others add up.
  if (key !== "gradient") return layer[key] / Math.max(...values);
  const low = Math.log(Math.min(...values)), high = Math.log(Math.max(...values));
  // Less than three of them apart is hardly a difference, and must not look like one.
  return 1 - 0.9 * (high - Math.log(layer[key])) / Math.max(high - low, Math.log(1000));
}

function show() {
  for (const item of [...modules, ...operations]) item.element = null;
  place(top_);
  const svg = draw("svg", { width: top_.width, height: top_.height, role: "group", "aria-label": "The graph of the model" });
  const marker = { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" };
  svg.append(draw("defs", {}, draw("marker", marker, draw("path", { class: "arrow", d: "M0,0 L8,4 L0,8 z" }))));
  paint(top_, svg, 0, 0);
  $("graph").replaceChildren(svg);
}

function openLevel() {
  // A single operation says less than the module around it.
  const visible = modules.filter((item) => (item.children.length > 1 || item.children[0]?.layer) && above(item).slice(0, -1).every((outer) => outer.open));
  const folded = visible.filter((item) => !item.open);
  folded.forEach((item) => { item.open = true; });
  return folded.length;
}
const visibleBoxes = () => [...modules, ...operations].filter(
  (item) => item.order !== undefined && above(item.parent).every((outer) => outer.open)).length;

// At first as many levels as give a picture that can be taken in.
function openAtFirst() {
  for (let level = 0; level < 9; level++) {
    const before = modules.map((item) => item.open);
    if (!openLevel()) return;
    if (level && visibleBoxes() > 40) { modules.forEach((item, i) => { item.open = before[i]; }); return; }
  }
}
$("open").addEventListener("click", () => { openLevel(); show(); });
$("fold").addEventListener("click", () => { modules.forEach((item) => { item.open = false; }); openLevel(); show(); });
$("colour").addEventListener("change", show);
