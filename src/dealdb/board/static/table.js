"use strict";
// The table of deals: rows as one scrolls, at most some hundreds at a time; rows as links; saved queries.
(() => {
  const MOST_PAGES = 6;
  const table = document.getElementById("deals");
  const box = document.getElementById("scrolls");

  /** Pages that were loaded, each a list of rows; those from "first" to before "end" are in the document. */
  function scrollEndlessly(next) {
    const body = table.tBodies[0];
    const pages = [[...body.rows]];
    const scroller = box.scrollHeight > box.clientHeight + 1 ? box : document.scrollingElement;
    let first = 0, end = 1, address = next.href, busy = false;

    const heightOf = (rows) => rows[rows.length - 1].getBoundingClientRect().bottom - rows[0].getBoundingClientRect().top;

    function showLater() {
      if (end - first === MOST_PAGES) {
        const gone = heightOf(pages[first]);
        pages[first].forEach((row) => row.remove());
        first += 1;
        scroller.scrollTop -= gone;
      }
      body.append(...pages[end]);
      end += 1;
    }
    function showEarlier() {
      if (end - first === MOST_PAGES) {
        end -= 1;
        pages[end].forEach((row) => row.remove());
      }
      first -= 1;
      body.prepend(...pages[first]);
      scroller.scrollTop += heightOf(pages[first]);
    }
    async function load() {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      pages.push([...page.querySelectorAll("#deals tbody tr")].map((row) => document.adoptNode(row)));
      const link = page.getElementById("next");
      address = link && link.getAttribute("href");
      if (address) next.href = address; else next.hidden = true;
    }
    async function look() {
      if (busy) return;
      busy = true;
      try {
        const bottom = scroller === box ? box.getBoundingClientRect().bottom : innerHeight;
        const rows = body.getBoundingClientRect();
        const top = scroller === box ? box.getBoundingClientRect().top : 0;
        if (rows.bottom < bottom + 600) {
          if (end === pages.length && address) await load();
          if (end < pages.length) showLater();
        } else if (first > 0 && rows.top > top - 600) showEarlier();
      } catch {
        window.dealdb.say("More deals could not be loaded; the link below the table does it.");
        removeEventListener("scroll", look);
        box.removeEventListener("scroll", look);
      } finally { busy = false; }
    }
    addEventListener("scroll", look, { passive: true });
    box.addEventListener("scroll", look, { passive: true });
    look();
  }

  if (table) {
    const next = document.getElementById("next");
    if (next) scrollEndlessly(next);
    table.addEventListener("click", (event) => {
      const row = event.target.closest("tbody tr");
      // whoever marks a text wants to copy it
      if (!row || event.target.closest("a") || String(getSelection())) return;
      const link = row.querySelector("a");
      if (event.ctrlKey || event.metaKey) open(link.href); else location.href = link.href;
    });
  }

  const saved = document.getElementById("saved");
  const form = document.getElementById("save-query");
  const listed = (text) => text ? text.split(",") : null;
  // without a script the form would put the name into the address, in place of the filter
  if (form) form.querySelector("button").disabled = false;
  if (form) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { where, sort, columns } = saved.dataset;
    const { status, data } = await window.dealdb.send("/saved", {
      name: form.elements.name.value, where, sort: listed(sort), columns: listed(columns),
    });
    if (status === 200) { location.reload(); return; }
    const fault = form.querySelector(".fault");
    fault.textContent = data.message;
    fault.hidden = false;
  });
  if (saved) saved.addEventListener("click", async (event) => {
    const name = event.target.dataset.forget;
    if (name === undefined) return;
    const { status, data } = await window.dealdb.send("/saved/forget", { name });
    if (status === 200) event.target.closest("li").remove();
    window.dealdb.say(status === 200 ? `The query ${name} is forgotten.` : data.message);
  });
})();
