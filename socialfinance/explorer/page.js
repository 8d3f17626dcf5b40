"use strict";
/* The whole state of the page is here and goes with every request; the server keeps none of it. */
(() => {
  const AFTER = 80, REST = 700; /* milliseconds: after a move, and once the hand rests */
  const at = (id) => document.getElementById(id);
  const body = document.body;
  const state = { view: at("view").value, structures: {}, values: {} };
  let controls = new Map(), asking = null, soon = 0, later = 0, moved = 0;

  const make = (name, words, kind) => {
    const one = document.createElement(name);
    if (words !== undefined) one.textContent = words;
    if (kind) one.className = kind;
    return one;
  };

  function written(control, value) {
    if (control.unit === "pounds") {
      if (Math.abs(value) >= 1e6) return control.symbol + (value / 1e6).toLocaleString("en-GB", { maximumFractionDigits: 2 }) + "m";
      return control.symbol + Math.round(value).toLocaleString("en-GB");
    }
    if (control.unit === "multiple") {
      const more = Math.round((value - 1) * 100);
      return more === 0 ? "as in the file" : (more > 0 ? "+" : "−") + Math.abs(more) + "%";
    }
    return (100 * value).toFixed(control.decimals) + "%";
  }

  const same = (control, value) => Math.abs(value - control.now) < control.step / 2;

  /* --- asking ------------------------------------------------------------------------------ */

  async function post(where, signal) {
    const answer = await fetch(where, {
      method: "POST", signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(state),
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error || "no answer");
    return said;
  }

  function drop() {
    if (asking) asking.abort();
    clearTimeout(soon);
    clearTimeout(later);
  }

  function ask(wait) {
    drop();
    moved = performance.now();
    at("state-words").textContent = "Running…";
    body.classList.add("waiting");
    soon = setTimeout(() => answer("quick"), wait);
  }

  async function answer(size) {
    const mine = (asking = new AbortController());
    try {
      const said = await post(size, mine.signal);
      if (mine !== asking) return;
      show(said, size);
      if (size === "quick") later = setTimeout(() => answer("refined"), REST);
    } catch (error) {
      if (mine === asking && error.name !== "AbortError") failed(error);
    }
  }

  function failed(error) {
    at("error").textContent = error instanceof TypeError ? "The explorer does not answer: is it still running?" : error.message;
    at("error").hidden = false;
    at("state-words").textContent = "The figures below are of the terms before.";
    at("save").disabled = true;
  }

  /* --- what came back ---------------------------------------------------------------------- */

  function show(said, size) {
    body.classList.remove("waiting");
    at("error").hidden = true;
    at("save").disabled = false;
    at("figure-list").replaceChildren(...said.figures.map(figure));
    const open = [...document.querySelectorAll("details")].map((one) => one.open);
    at("charts").replaceChildren(...said.charts.map((one, i) => chart(one, open[i])));
    const took = ((performance.now() - moved) / 1000).toFixed(1);
    const paths = said.paths.toLocaleString("en-GB");
    at("state-words").textContent = size === "quick"
      ? `${paths} futures, ${took} s after the last move. A longer run follows once you stop.`
      : `${paths} futures: as exact as this page gets.`;
    at("meanings").replaceChildren(...said.figures.map((one) => make("li", `${one.label}: ${one.says}.`)));
    if (size === "refined") at("said").textContent = said.said;
    body.dataset.shown = size;
  }

  function figure(one) {
    const item = make("li");
    item.dataset.name = one.name;
    const value = make("div", one.text, "value");
    if (one.error_text) value.append(" ", make("small", "± " + one.error_text));
    const change = make("div", undefined, "change");
    const plain = one.change === null || one.change === 0;
    change.textContent = plain ? one.change_text : one.change_text + (one.better === null ? ": too little to tell" : " against the file");
    if (one.better !== null) change.classList.add(one.better ? "good" : "bad");
    item.append(make("div", one.label, "label"), value, change, make("div", one.says, "says"));
    return item;
  }

  function chart(one, open) {
    const box = make("figure");
    const title = make("h3", one.title);
    const drawing = new DOMParser().parseFromString(one.svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '), "image/svg+xml");
    const key = make("ul", undefined, "key");
    for (const [kind, words] of one.legend) {
      const item = make("li", undefined, kind);
      item.append(make("i"), words);
      key.append(item);
    }
    const more = make("details");
    more.open = Boolean(open);
    more.append(make("summary", "The numbers"), table(one, title.textContent));
    box.append(title, document.importNode(drawing.documentElement, true), key);
    if (one.note) box.append(make("p", one.note, "quiet"));
    box.append(more);
    return box;
  }

  function table(one, title) {
    const scroll = make("div", undefined, "scroll"), whole = make("table"), head = make("thead"), rows = make("tbody");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", title + ", numbers");
    const line = (cells, first) => {
      const row = make("tr");
      cells.forEach((words, i) => {
        const cell = make(first || i === 0 ? "th" : "td", words);
        if (cell.tagName === "TH") cell.scope = first ? "col" : "row";
        row.append(cell);
      });
      return row;
    };
    head.append(line(one.head, true));
    rows.append(...one.rows.map((cells) => line(cells, false)));
    whole.append(head, rows);
    scroll.append(whole);
    return scroll;
  }

  /* --- what can be moved ------------------------------------------------------------------- */

  async function lay() {
    drop();
    const mine = (asking = new AbortController());
    at("state-words").textContent = "Running…";
    at("groups").inert = true; /* these sliders are about to be replaced */
    try {
      const panel = await post("controls", mine.signal);
      if (mine !== asking) return;
      state.values = panel.values;
      state.structures = panel.structures;
      controls = new Map();
      at("groups").inert = false;
      at("groups").replaceChildren(...panel.groups.map(group));
      at("structure-choice").hidden = panel.choices.length < 2;
      at("structure").replaceChildren(...panel.choices.map((one) => new Option(one.title, one.name, one.chosen, one.chosen)));
      at("structure-says").textContent = panel.choices.filter((one) => one.chosen).map((one) => one.says).join("");
      at("elsewhere").hidden = panel.moved_elsewhere === 0;
      at("elsewhere").textContent = `${panel.moved_elsewhere} term${panel.moved_elsewhere === 1 ? " is" : "s are"} moved in other views, and count here too.`;
      ask(0);
    } catch (error) {
      if (mine === asking && error.name !== "AbortError") failed(error);
    }
  }

  function group(one) {
    const set = make("fieldset");
    set.append(make("legend", one.title), ...one.controls.map(slider));
    return set;
  }

  function slider(control, i) {
    const box = make("div", undefined, "slider"), top = make("div", undefined, "top");
    const input = make("input"), label = make("label", control.label), shown = make("output");
    const file = make("div", undefined, "file"), note = make("span");
    input.type = "range";
    input.id = "slider-" + controls.size;
    input.name = control.name;
    input.min = control.low;
    input.max = control.high;
    input.step = control.step;
    input.value = state.values[control.name] ?? control.now;
    label.htmlFor = shown.htmlFor = input.id;
    note.textContent = control.unit === "multiple" ? "" : (state.structures[state.view] ? "term sheet: " : "file: ") + written(control, control.now);
    const mark = make("span", "", "moved");
    file.append(note, mark);
    const tell = () => {
      const value = Number(input.value), words = written(control, value);
      shown.textContent = words;
      input.setAttribute("aria-valuetext", words);
      mark.textContent = same(control, value) ? "" : "moved";
    };
    input.addEventListener("input", () => {
      const value = Number(input.value);
      if (same(control, value)) delete state.values[control.name];
      else state.values[control.name] = value;
      tell();
      ask(AFTER);
    });
    tell();
    controls.set(control.name, input);
    top.append(label, shown);
    box.append(top, input, file);
    return box;
  }

  at("view").addEventListener("change", () => { state.view = at("view").value; lay(); });
  at("structure").addEventListener("change", () => {
    if (at("structure").value) state.structures[state.view] = at("structure").value;
    else delete state.structures[state.view];
    lay();
  });
  at("reset").addEventListener("click", () => { state.structures = {}; state.values = {}; lay(); });
  at("terms").addEventListener("submit", (event) => event.preventDefault());
  at("save").addEventListener("click", async () => {
    try {
      const answer = await fetch("save", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(state),
      });
      if (!answer.ok) throw new Error((await answer.json()).error);
      const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))[1];
      const link = make("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      at("said").textContent = `Saved as ${name}.`;
    } catch (error) {
      failed(error);
    }
  });
  lay();
})();
