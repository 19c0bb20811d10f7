"use strict";
/* The charts: drawn in the ground's colours, turned by the dials, with the chosen methods highlighted everywhere. */
const page = (() => {
  const element = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(element(id).textContent);
  const turned = read("turned");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const print = window.matchMedia("print");
  const chosen = new Set();
  const families = read("methods");
  const known = new Set(Object.values(families).flat());
  const filters = { text: element("search"), top: element("top") };
  let shown = null; // the methods that the filter leaves; null: all
  let charts = {};
  let drawn = {};
  let waiting = []; // names of charts that are not drawn yet in the ground's colours, the nearest first
  const dials = [...document.querySelectorAll(".dial")].map((box) => ({
    slider: box.querySelector("input"),
    output: box.querySelector("output"),
    betas: JSON.parse(box.dataset.betas),
    charts: JSON.parse(box.dataset.charts),
  }));

  /* What stands in the page in base64 of gzip: it is most of the page, and text of a kind that shrinks to a third. */
  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(element(id).textContent), (each) => each.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }

  function say(dial) {
    const beta = dial.betas[dial.slider.value];
    const sign = beta > 0 ? "+" : beta < 0 ? "\u2212" : "";
    const words = beta > 0 ? "towards the head" : beta < 0 ? "towards the tail" : "as trained";
    dial.output.textContent = `dial ${sign}${Math.abs(beta)}, ${words}`;
    dial.slider.setAttribute("aria-valuetext", dial.output.textContent);
  }

  /* What stands in a chart's signals now: the methods that are highlighted, and its dial. */
  function signals(name) {
    const named = charts[name].vega.signals ?? [];
    const dial = dials.find((each) => each.charts.includes(name));
    const values = {};
    if (named.some((each) => each.name === "chosen")) values.chosen = [...chosen];
    const own = charts[name].vega.scales?.find((each) => each.name === "color")?.domain;
    const left = shown && Array.isArray(own) ? own.filter((each) => shown.has(each)) : [...(shown ?? [])];
    if (named.some((each) => each.name === "shown")) values.shown = shown && !left.length ? ["\u2013"] : left;
    if (dial) values.dial = dial.betas[dial.slider.value];
    return values;
  }

  async function tell(names) {
    for (const name of names.filter((each) => each in drawn)) {
      const { view } = await drawn[name];
      for (const [signal, value] of Object.entries(signals(name))) view.signal(signal, value);
      await view.runAsync();
    }
  }

  async function turn(dial) {
    say(dial);
    await tell(dial.charts);
  }

  /* Entries of a legend answer to the pointer, and pale with their marks. */
  function liveLegend(spec) {
    if (!(spec.signals ?? []).some((each) => each.name === "chosen")) return spec;
    const opacity = { signal: "!length(chosen) || indexof(chosen, datum.value) >= 0 ? 1 : 0.3" };
    for (const legend of spec.legends ?? []) {
      legend.encode ??= {};
      for (const part of ["symbols", "labels"]) {
        const given = legend.encode[part] ?? {};
        const update = { ...given.update, opacity, cursor: { value: "pointer" } };
        legend.encode[part] = { ...given, interactive: true, update };
      }
    }
    return spec;
  }

  function methodOf(item) {
    if (!item?.datum || item.mark.marktype === "area") return null;
    const found = item.mark.role.startsWith("legend") ? item.datum.value : item.datum.method;
    return known.has(found) ? found : null;
  }

  /* A chart is compiled in the colours of a light ground; those of another one stand in `turned`. */
  function inColours(vega, ground) {
    const text = JSON.stringify(vega);
    const given = Object.keys(turned[ground]).map((each) => JSON.stringify(each));
    if (!given.length) return JSON.parse(text);
    const any = new RegExp(given.map((each) => each.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "g");
    return JSON.parse(text.replace(any, (each) => JSON.stringify(turned[ground][JSON.parse(each)])));
  }

  async function embed(name, node, ground, width) {
    const spec = inColours(charts[name].vega, ground);
    const values = signals(name);
    for (const signal of spec.signals ?? []) {
      if (signal.name in values) signal.value = values[signal.name];
      if (width && signal.name === "width") Object.assign(signal, { value: width, init: undefined, on: undefined });
    }
    if (ground === "paper") spec.background = "#ffffff";
    return vegaEmbed(node, spec, { mode: "vega", renderer: "svg", actions: false, logLevel: 1, patch: liveLegend });
  }

  function drawOne(name) {
    const earlier = drawn[name];
    drawn[name] = embed(name, element(name), dark.matches && !print.matches ? "dark" : "light");
    earlier?.then((each) => each.finalize());
    return drawn[name].then(async ({ view }) => {
      view.addEventListener("click", (_, item) => toggle(methodOf(item)));
      await tell([name]); // some scales follow the width, which is known only now
      if (!performance.getEntriesByName("first-chart").length) performance.mark("first-chart");
    });
  }

  /* One after another, so that the page answers meanwhile; what is nearest to the reader first. */
  async function draw() {
    const away = (name) => Math.abs(element(name).getBoundingClientRect().top - innerHeight / 2);
    const mine = Object.keys(charts).sort((a, b) => away(a) - away(b));
    waiting = mine;
    delete document.documentElement.dataset.drawn;
    while (mine.length) {
      await drawOne(mine.shift());
      await new Promise((resolve) => setTimeout(resolve));
      if (mine !== waiting) return; // the colours changed meanwhile
    }
    document.documentElement.dataset.drawn = "yes";
  }

  /* One choice for the whole page: chips, rows of tables and marks all change it, and all show it. */
  function toggle(method) {
    if (method === null) return;
    if (!chosen.delete(method)) chosen.add(method);
    show();
  }

  function show() {
    for (const each of document.querySelectorAll("[data-method]")) {
      const out = chosen.has(each.dataset.method);
      if (each.matches("button")) each.setAttribute("aria-pressed", out);
      else each.classList.toggle("pale", chosen.size > 0 && !out);
    }
    const all = document.querySelector("[data-all]");
    if (all) all.setAttribute("aria-pressed", chosen.size === 0);
    const shown = document.getElementById("chosen");
    if (shown) shown.textContent = chosen.size ? `Highlighted: ${[...chosen].join(", ")}` : "All methods alike";
    tell(Object.keys(charts));
  }

  /* The methods with the text in their name or family, of those with the highest NDCG@10: all else is hidden. */
  function filter() {
    const text = filters.text.value.trim().toLowerCase();
    const best = filters.top.value
      ? new Set(read("rankings").flatMap((each) => each.slice(0, Number(filters.top.value))))
      : known;
    const has = (name) => name.toLowerCase().includes(text);
    const left = Object.entries(families).flatMap(([family, names]) =>
      names.filter((name) => best.has(name) && (has(family) || has(name))),
    );
    shown = left.length === known.size ? null : new Set(left);
    for (const each of document.querySelectorAll(".chip[data-method], tr[data-method]")) {
      each.hidden = shown !== null && !shown.has(each.dataset.method);
    }
    for (const each of document.querySelectorAll(".family")) each.hidden = !each.querySelector(".chip:not([hidden])");
    element("chosen").textContent = shown ? `${left.length} of ${known.size} methods shown` : "All methods shown";
    tell(Object.keys(charts));
  }

  function clear() {
    if (!chosen.size) return;
    chosen.clear();
    show();
  }

  async function start() {
    /* The page has not loaded before its charts can be drawn: else it would be printed at once, without them. */
    const hold = document.body.appendChild(Object.assign(document.createElement("iframe"), { hidden: true }));
    hold.contentDocument.open();
    const script = document.createElement("script");
    script.textContent = await unpacked("vega");
    charts = JSON.parse(await unpacked("charts"));
    document.head.append(script);
    waiting = Object.keys(charts);
    hold.contentDocument.close();
    hold.remove();
    dials.forEach(say);
    await draw();
  }

  start();
  for (const dial of dials) dial.slider.addEventListener("input", () => turn(dial));
  dark.addEventListener("change", draw);
  print.addEventListener("change", draw);
  window.addEventListener("beforeprint", () => waiting.splice(0).forEach(drawOne));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.method !== undefined) toggle(button.dataset.method);
    else if (button?.dataset.all !== undefined) clear();
    else if (button?.dataset.family !== undefined) {
      const own = families[button.dataset.family];
      const all = own.every((name) => chosen.has(name));
      for (const name of own) all ? chosen.delete(name) : chosen.add(name);
      show();
    }
  });
  filters.text?.addEventListener("input", filter);
  filters.top?.addEventListener("change", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") clear();
  });

  /* The chart as it stands, in the colours of paper. */
  async function picture(name, kind) {
    const { view, finalize } = await embed(name, document.createElement("div"), "paper", 640);
    const url = await view.toImageURL(kind, kind === "png" ? 2 : 1);
    finalize();
    return url;
  }

  /* The values that a chart shows, as a table: made when somebody asks. */
  function listValues(box) {
    const { vega, values } = charts[box.dataset.values];
    const rows = vega.data.find((each) => each.name === values.data).values;
    const table = document.createElement("table");
    table.className = "small";
    const head = table.createTHead().insertRow();
    for (const [, title] of values.columns) {
      head.append(Object.assign(document.createElement("th"), { textContent: title, scope: "col" }));
    }
    const body = table.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      if (known.has(row.method)) line.dataset.method = row.method;
      for (const [field] of values.columns) line.insertCell().textContent = row[field] ?? "";
    }
    box.querySelector(".scroll").replaceChildren(table);
  }

  for (const box of document.querySelectorAll("details[data-values]")) {
    box.addEventListener("toggle", () => box.open && listValues(box), { once: true });
  }
  return { picture, read };
})();
