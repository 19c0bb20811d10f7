/* What the page gives away: charts as SVG and PNG, tables as CSV and LaTeX; all made here, nothing is fetched. */
(() => {
  const tables = page.read("tables");

  function save(url, name) {
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    if (url.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(url), 60000);
  }

  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      /* a browser without it, or one that forbids it to files: the older way */
      const field = document.createElement("textarea");
      field.value = text;
      field.className = "unseen";
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  }

  async function give(button) {
    const { save: kind, of, copy } = button.dataset;
    if (kind === "svg" || kind === "png") {
      save(await page.picture(of, kind), `${of}.${kind}`);
      return;
    }
    const { name, text } = tables[of][kind];
    const output = button.parentElement.querySelector("output");
    if (copy === undefined) {
      save(URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" })), name);
      output.textContent = `Saved as ${name}`;
    } else {
      output.textContent = (await copied(text)) ? "Copied" : "This browser does not let a page copy: save it instead";
      button.focus();
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-save]");
    if (button) give(button);
  });
})();
