// Searching, and what is shown at first.
let openBefore = null, found = [], current = -1;

function search() {
  const text = $("search").value.trim().toLowerCase();
  const items = [...modules, ...operations].filter((item) => item.order !== undefined);
  if (text && !openBefore) openBefore = modules.map((item) => item.open);
  if (openBefore) modules.forEach((item, i) => { item.open = openBefore[i]; });
  if (!text) openBefore = null;
  items.forEach((item) => { item.match = text !== "" && item.text.includes(text); });
  found = items.filter((item) => item.match).sort((a, b) => a.order - b.order);
  // Of many matches those that are folded stay so, and the modules around them are marked.
  if (found.length <= 60) found.forEach((item) => above(item.parent).forEach((outer) => { outer.open = true; }));
  current = -1;
  let listed = 0;
  rows.forEach(({ layer, element, detail }, i) => {
    const shown = !text || modules[i].text.includes(text) || found.some((item) => !item.layer && item.parent === modules[i]);
    element.hidden = !shown;
    if (detail) detail.hidden = !shown;
    element.classList.toggle("match", text !== "" && modules[i].text.includes(text));
    listed += shown;
  });
  $("found").textContent = text
    ? `${number(found.length)} in the graph, ${number(listed)} ${listed === 1 ? "layer" : "layers"}` : "";
  show();
}

function next() {
  const visible = found.filter((item) => item.element);
  if (!visible.length) return;
  current = (current + 1) % visible.length;
  visible[current].element.scrollIntoView({ block: "center", inline: "center" });
}
$("search").addEventListener("input", search);
$("search").addEventListener("keydown", (event) => { if (event.key === "Enter") next(); });

for (const [name, value] of data.summary) $("summary").append(make("div", {}, make("dt", {}, name), make("dd", {}, value)));
for (const finding of data.findings) $("findings").querySelector("ul").append(make("li", {}, finding));
$("findings").hidden = !data.findings.length;
for (const one of data.curves) $("curves").querySelector(".pictures").append(chart(one));
$("curves").hidden = !data.curves.length;
fill(rows);
openAtFirst();
show();
