// The table of the layers, the histograms of each, and the curves of the training.
const HEADINGS = [
  ["name", "module"], ["kind", "type"], ["shape", "output"], ["calls", "calls"], ["parameters", "parameters"],
  ["mean", "mean"], ["std", "std"], ["zeros", "zeros"], ["gradient", "‖∂ output‖"], ["slope", "‖∂ parameters‖"],
  ["update", "update"], ["forward", "forward ms"], ["backward", "backward ms"], ["saved", "saved"],
];
// Columns that would tell nothing are left out.
const columns = HEADINGS.filter(([key]) => data.layers.some((layer) => layer[key] !== (key === "calls" ? 1 : null)));
const cells = {
  zeros: (value) => `${(100 * value).toFixed(1)} %`, saved: bytes,
  forward: (value) => value.toFixed(3), backward: (value) => value.toFixed(3),
  name: (value) => value || "(the model)",
};

function rowOf(layer) {
  const row = make("tr", { class: "layer", tabindex: 0, "aria-expanded": false });
  for (const [key] of columns) {
    const value = layer[key];
    const text = value === null || value === undefined ? "" : (cells[key] ?? number)(value);
    const cell = make("td", typeof value === "string" && /^(nan|inf|-inf)$/.test(value) ? { class: "bad" } : {}, text);
    if (key === "name") cell.style.paddingLeft = `${7 + 14 * layer.depth}px`;
    row.append(cell);
  }
  return row;
}

const rows = data.layers.map((layer) => {
  const row = { layer, element: rowOf(layer), detail: null };
  const toggle = () => {
    if (row.detail) { row.detail.remove(); row.detail = null; } else {
      const pictures = make("div", { class: "pictures" }, ...layer.histograms.map(histogram));
      if (!layer.histograms.length) pictures.append("It has no parameters, and its output is no floating-point tensor.");
      row.detail = make("tr", { class: "detail" }, make("td", { colspan: columns.length }, pictures));
      row.element.after(row.detail);
    }
    row.element.setAttribute("aria-expanded", row.detail !== null);
  };
  row.element.addEventListener("click", toggle);
  row.element.addEventListener("keydown", (event) => { if (event.key === "Enter") toggle(); });
  return row;
});

function fill(order) {
  $("layers").tBodies[0].replaceChildren(...order.flatMap((row) => row.detail ? [row.element, row.detail] : [row.element]));
}

// What stands for a value when sorting: what is not finite above all numbers, what is missing below them.
const weight = (value) => value === null || value === undefined ? -Infinity
  : typeof value === "string" && /^(nan|inf|-inf)$/.test(value) ? Infinity : value;

for (const [key, title] of columns) {
  const button = make("button", { type: "button" }, title), heading = make("th", { scope: "col", "data-key": key }, button);
  $("layers").tHead.rows[0].append(heading);
  button.addEventListener("click", () => {
    const was = heading.getAttribute("aria-sort");
    for (const other of $("layers").tHead.rows[0].cells) other.removeAttribute("aria-sort");
    const next = { descending: "ascending", ascending: null }[was] ?? (was ? null : "descending");
    if (next === null) return fill(rows);
    heading.setAttribute("aria-sort", next);
    const sign = next === "ascending" ? 1 : -1;
    fill([...rows].sort((a, b) => {
      const [x, y] = [weight(a.layer[key]), weight(b.layer[key])];
      return sign * (typeof x === "string" || typeof y === "string" ? String(x).localeCompare(String(y)) : x === y ? 0 : x < y ? -1 : 1);
    }));
  });
}

function histogram({ title, about, low, high, counts }) {
  const W = 260, H = 70, most = Math.max(...counts, 1), step = W / Math.max(counts.length, 1);
  const svg = draw("svg", { width: W, height: H + 18, role: "img", "aria-label": title });
  counts.forEach((count, i) => {
    // A bar of a single value among a million is still seen.
    const height = count ? Math.max(1.5, H * count / most) : 0;
    if (count) svg.append(draw("rect", { class: "bar", x: i * step, y: H - height, width: Math.max(1, step - 1), height }));
  });
  svg.append(draw("path", { class: "axis", d: `M0,${H} H${W}` }));
  if (counts.length) {
    svg.append(draw("text", { class: "soft", x: 0, y: H + 13 }, number(low)));
    svg.append(draw("text", { class: "soft", x: W, y: H + 13, "text-anchor": "end" }, number(high)));
  }
  return make("figure", {}, make("figcaption", {}, make("b", {}, title), make("br"), about), svg);
}

const INKS = ["#2f6db5", "#d0752b", "#2b8a57", "#a14fb0", "#b8860b", "#c44569"];

function chart({ title, series }) {
  const W = 420, H = 200, LEFT = 58, BOTTOM = 22;
  const values = series.flatMap((one) => one.values).filter((value) => typeof value === "number");
  const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
  const last = Math.max(1, ...series.map((one) => one.values.length - 1)), every = series[0].every;
  const at = (i, value) => [LEFT + (W - LEFT - 8) * i / last, 8 + (H - 8 - BOTTOM) * (1 - (value - low) / span)];
  const svg = draw("svg", { width: W, height: H + 20 * series.length, role: "img", "aria-label": title });
  svg.append(draw("path", { class: "axis", d: `M${LEFT},8 V${H - BOTTOM} H${W - 8}` }));
  for (const value of [low, high]) {
    svg.append(draw("text", { class: "soft", x: LEFT - 5, y: at(0, value)[1] + 4, "text-anchor": "end" }, number(value)));
  }
  for (const i of [0, last]) {
    svg.append(draw("text", { class: "soft", x: at(i, low)[0], y: H - 6, "text-anchor": i ? "end" : "start" }, number(i * every + 1)));
  }
  series.forEach(({ name, values: points }, k) => {
    const ink = INKS[k % INKS.length];
    let path = "", pen = "M";
    points.forEach((value, i) => {
      // Where a value is missing or not finite the line has a gap.
      if (typeof value !== "number") { pen = "M"; return; }
      path += `${pen}${at(i, value).map((x) => x.toFixed(1)).join(",")}`;
      pen = "L";
      if (points.length === 1) path += "h3";
    });
    svg.append(draw("path", { d: path, fill: "none", stroke: ink, "stroke-width": 1.8 }));
    svg.append(draw("rect", { x: LEFT, y: H + 20 * k + 4, width: 12, height: 3, fill: ink }));
    const end = points.at(-1);
    svg.append(draw("text", { x: LEFT + 18, y: H + 20 * k + 10 }, `${name}: ${typeof end === "number" ? number(end) : end} at the end`));
  });
  return make("figure", {}, make("figcaption", {}, make("b", {}, title)), svg);
}
