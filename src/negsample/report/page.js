"use strict";
/* The charts: drawn in the ground's colours, turned by the dials, with the chosen methods highlighted everywhere. */
const page = (() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const charts = read("charts");
  const configs = read("configs");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const print = window.matchMedia("print");
  const chosen = new Set();
  const known = new Set(read("methods"));
  let drawn = {};
  const dials = [...document.querySelectorAll(".dial")].map((box) => ({
    slider: box.querySelector("input"),
    output: box.querySelector("output"),
    betas: JSON.parse(box.dataset.betas),
    charts: JSON.parse(box.dataset.charts),
  }));

  function say(dial) {
    const beta = dial.betas[dial.slider.value];
    const sign = beta > 0 ? "+" : beta < 0 ? "\u2212" : "";
    const words = beta > 0 ? "towards the head" : beta < 0 ? "towards the tail" : "as trained";
    dial.output.textContent = `\u03b2 = ${sign}${Math.abs(beta)}, ${words}`;
    dial.slider.setAttribute("aria-valuetext", dial.output.textContent);
  }

  /* What stands in a chart's signals now: the methods that are highlighted, and its dial. */
  function signals(name) {
    const named = charts[name].params ?? [];
    const dial = dials.find((each) => each.charts.includes(name));
    const values = {};
    if (named.some((each) => each.name === "chosen")) values.chosen = [...chosen];
    if (dial) values.dial = dial.betas[dial.slider.value];
    return values;
  }

  async function tell(names) {
    for (const name of names) {
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

  async function embed(name, node, config, width) {
    const spec = structuredClone(charts[name]);
    if (width) spec.width = width;
    return vegaEmbed(node, spec, { mode: "vega-lite", renderer: "svg", config, actions: false, patch: liveLegend });
  }

  async function draw() {
    const config = configs[dark.matches && !print.matches ? "dark" : "light"];
    const earlier = Object.values(drawn);
    drawn = Object.fromEntries(
      Object.keys(charts).map((name) => [name, embed(name, document.getElementById(name), config)]),
    );
    const mine = drawn;
    for (const each of earlier) (await each).finalize();
    for (const each of Object.values(mine)) {
      (await each).view.addEventListener("click", (_, item) => toggle(methodOf(item)));
    }
    if (mine !== drawn) return; // the colours changed again meanwhile
    dials.forEach(say);
    await tell(Object.keys(charts));
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

  function clear() {
    if (!chosen.size) return;
    chosen.clear();
    show();
  }

  draw();
  for (const dial of dials) dial.slider.addEventListener("input", () => turn(dial));
  dark.addEventListener("change", draw);
  print.addEventListener("change", draw);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.method !== undefined) toggle(button.dataset.method);
    else if (button?.dataset.all !== undefined) clear();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") clear();
  });

  /* The chart as it stands, in the colours of paper. */
  async function picture(name, kind) {
    const { view, finalize } = await embed(name, document.createElement("div"), configs.paper, 640);
    for (const [signal, value] of Object.entries(signals(name))) view.signal(signal, value);
    await view.runAsync();
    const url = await view.toImageURL(kind, kind === "png" ? 2 : 1);
    finalize();
    return url;
  }
  return { picture, read };
})();
