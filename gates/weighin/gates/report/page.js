"use strict";
// Sorting, filtering and linking for a page that is complete without it.
(() => {
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const make = (name, attributes = {}, text = "") => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  };

  // Sorting: up, down, and back to the order of the record. Cells without a value stay last.
  const valueOf = (cell) => {
    const exact = cell.querySelector("data");
    const number = exact ? Number(exact.value) : NaN;
    if (cell.dataset.k !== undefined) return [Number(cell.dataset.k), number];
    if (exact) return [number];
    const name = (cell.querySelector(".label") || cell).textContent.trim();
    return [name === "" ? NaN : isNaN(name) ? name : Number(name)];
  };
  const order = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const missing = (value) => typeof value === "number" && isNaN(value);
  const compare = (a, b, sign) => {
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      const gone = missing(a[i] ?? NaN) - missing(b[i] ?? NaN);
      if (gone) return gone;
      const by = missing(a[i] ?? NaN) ? 0 : order(a[i], b[i]);
      if (by) return by * sign;
    }
    return 0;
  };
  const sort = (table, column, direction) => {
    const body = table.tBodies[0];
    const rows = all("tr", body).map((row) => [valueOf(row.cells[column]), row]);
    const place = (row) => Number(row.dataset.row);
    const sign = direction === "descending" ? -1 : 1;
    rows.sort(([a, x], [b, y]) =>
      (direction === "none" ? 0 : compare(a, b, sign)) || place(x) - place(y));
    body.append(...rows.map(([, row]) => row));
    all("thead th", table).forEach((head, at) => {
      head.setAttribute("aria-sort", at === column ? direction : "none");
    });
  };
  const after = { none: "ascending", ascending: "descending", descending: "none" };
  for (const table of all("table")) {
    const rows = all("tbody tr", table);
    if (rows.length < 2) continue;
    rows.forEach((row, at) => { row.dataset.row = at; });
    all("thead th", table).forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = make("button", { type: "button", class: "sort" });
      button.append(...head.childNodes);
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () =>
        sort(table, column, after[head.getAttribute("aria-sort")]));
    });
  }

  // The filter: words that are in the names of devices or of variants.
  const toolbar = document.getElementById("toolbar");
  const names = (selector, text) => new Map(all(selector).map((e) => [text(e)[0], text(e)[1]]));
  const devices = names("[data-d]", (e) => [e.dataset.d, e.dataset.d.toLowerCase()]);
  const variants = names("tr[data-v]", (e) =>
    [e.dataset.v, e.querySelector(".label").textContent.toLowerCase()]);
  const matching = (known, words) => {
    const hits = words.map((w) => new Set([...known].filter(([, n]) => n.includes(w)).map(([k]) => k)));
    const used = hits.filter((hit) => hit.size);
    return used.length ? new Set([...known.keys()].filter((k) => used.some((hit) => hit.has(k)))) : null;
  };
  const narrow = (text, said) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let kept = matching(devices, words);
    let shown = matching(variants, words);
    if (words.length && !kept && !shown) kept = shown = new Set();
    const hide = (element, set, key) => { element.hidden = set !== null && !set.has(key); };
    all("[data-d]").forEach((e) => hide(e, kept, e.dataset.d));
    all("tr[data-v]").forEach((e) => hide(e, shown, e.dataset.v));
    all(".picture [data-v]").forEach((e) => {
      e.classList.toggle("off", shown !== null && !shown.has(e.dataset.v));
    });
    for (const table of all("table.matrix")) {
      const heads = all("thead th", table);
      for (const row of all("tr", table)) {
        [...row.cells].forEach((cell, at) => { if (at) cell.hidden = heads[at].hidden; });
      }
      table.parentElement.hidden = heads.slice(1).every((head) => head.hidden);
    }
    const count = (set, known) => `${set ? set.size : known.size} of ${known.size}`;
    said.textContent = words.length
      ? `${count(kept, devices)} devices, ${count(shown, variants)} variants` : "";
  };
  if (toolbar && variants.size) {
    const box = make("div", { class: "filter", role: "search" });
    const input = make("input", {
      id: "filter", type: "search", placeholder: "Device or variant", autocomplete: "off",
      spellcheck: "false" });
    const said = make("span", { class: "said", role: "status" });
    box.append(make("label", { for: "filter" }, "Filter"), input, said);
    toolbar.prepend(box);
    input.addEventListener("input", () => narrow(input.value, said));
  }

  // Linking: what speaks of the same variant, or of the same version, lights up together.
  let lit = [];
  let pinned = null;
  const keyOf = (element) => {
    const found = element instanceof Element && element.closest("[data-v], [data-h]");
    if (!found) return null;
    return "v" in found.dataset ? `[data-v="${found.dataset.v}"]` : `[data-h="${found.dataset.h}"]`;
  };
  const light = (key) => {
    lit.forEach((element) => element.classList.remove("on"));
    lit = key === null ? [] : all(key);
    lit.forEach((element) => element.classList.add("on"));
    document.body.classList.toggle("lit", lit.length > 0);
  };

  // What a mark says, beside it. Screen readers get the same text as the mark's name.
  const tip = make("div", { class: "tip", "aria-hidden": "true" });
  tip.hidden = true;
  document.body.append(tip);
  const labels = new Map();
  for (const name of all("tr[data-v] .numbered")) {
    const key = name.closest("tr").dataset.v;
    if (!labels.has(key)) labels.set(key, name.textContent);
  }
  const nameOf = (mark) => labels.get(mark.dataset.v) ?? "";
  const tell = (mark) => {
    tip.hidden = !mark;
    if (!mark) return;
    tip.replaceChildren(make("b", {}, nameOf(mark)), make("span", {}, mark.dataset.t));
    const spot = mark.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const left = spot.left + spot.width / 2 - size.width / 2;
    const above = spot.top - size.height - 8;
    tip.style.left = `${Math.max(6, Math.min(left, document.documentElement.clientWidth - size.width - 6))}px`;
    tip.style.top = `${above > 6 ? above : spot.bottom + 8}px`;
  };
  const show = (target) => {
    light(keyOf(target) ?? pinned);
    tell(target instanceof Element ? target.closest(".m") : null);
  };
  document.addEventListener("mouseover", (event) => show(event.target));
  document.addEventListener("focusin", (event) => show(event.target));
  document.addEventListener("focusout", () => show(null));
  const stay = () => tell(document.querySelector(".m:hover, .m:focus"));
  document.addEventListener("scroll", stay, { passive: true, capture: true });
  document.addEventListener("click", (event) => {
    const mark = event.target.closest(".m, tr[data-v] .row-number");
    if (!mark) return;
    pinned = pinned === keyOf(mark) ? null : keyOf(mark);
    show(mark);
  });

  // Pictures: one stop for the tabulator each, arrows from mark to mark.
  for (const picture of all(".picture")) {
    const marks = all(".m", picture);
    if (!marks.length) continue;
    picture.setAttribute("role", "group");
    picture.querySelector("svg").removeAttribute("aria-hidden");
    marks.forEach((mark, at) => {
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", `${nameOf(mark)} ${mark.dataset.t}`.trim());
      mark.setAttribute("tabindex", at ? "-1" : "0");
    });
    picture.addEventListener("keydown", (event) => {
      const at = marks.indexOf(event.target);
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") tell(null);
      if (at < 0 || !step) return;
      event.preventDefault();
      const next = marks[(at + step + marks.length) % marks.length];
      marks[at].setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
  }

  // On paper everything is open.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));
})();
