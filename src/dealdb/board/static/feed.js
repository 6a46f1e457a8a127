"use strict";
// The feed: commits that come while the page is open, above those that there were; pausable. The stream says each once.
(() => {
  const box = document.getElementById("feed");
  const list = document.getElementById("commits");
  const pause = document.getElementById("pause");
  const said = document.getElementById("feed-said");
  const most = Number(box.dataset.most);
  let waiting = [], paused = false, isStale = false;

  function tell() {
    const n = list.children.length;
    const commits = n === 1 ? "the last commit" : `the last ${n} commits`;
    if (!paused) said.textContent = `Live, ${commits}`;
    else said.textContent = waiting.length ? `Paused; ${waiting.length === most ? "many" : waiting.length} new` : "Paused";
  }
  function add(rows) {
    const newest = rows.slice(0, most);
    newest.forEach((row) => row.classList.add("fresh"));
    list.prepend(...newest);
    while (list.children.length > most) list.lastElementChild.remove();
    document.getElementById("nothing").hidden = list.children.length > 0;
  }

  /** What the stream says: commits, the newest first. */
  function show(data) {
    const holder = document.createElement("template");
    holder.innerHTML = data.commits;
    const rows = [...holder.content.children];
    if (paused) waiting = [...rows, ...waiting].slice(0, most);
    else add(rows);
    tell();
  }
  /** The history is another one, or too much was missed. */
  function reload() {
    if (paused) isStale = true; else location.reload();
  }
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (!paused && isStale) { location.reload(); return; }
    if (!paused) { add(waiting); waiting = []; }
    tell();
  });
  window.dealdb.feed = { show, reload };
})();
