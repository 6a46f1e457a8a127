"use strict";
// The feed: commits that come while the page is open, above those that there were; pausable.
(() => {
  const PERIOD_MS = 2000;
  const box = document.getElementById("feed");
  const pause = document.getElementById("pause");
  const said = document.getElementById("feed-said");
  const most = Number(box.dataset.most);
  let token = box.querySelector(".commits").dataset.token;
  let paused = false;

  async function look() {
    if (paused || document.hidden) return;
    const asked = new URLSearchParams({ since: token, fragment: "1" });
    const answer = await fetch(window.dealdb.address(`/feed?${asked}`));
    if (answer.status === 400 || answer.status === 503) { said.textContent = answer.status === 400 ? "The history was reset: load the page again" : "The server does not answer; waiting"; return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const list = page.querySelector(".commits");
    if (!list || paused) return;
    token = list.dataset.token;
    const shown = box.querySelector(".commits");
    const rows = [...list.children].map((row) => document.adoptNode(row));
    if (!rows.length) return;
    rows.forEach((row) => row.classList.add("fresh"));
    shown.prepend(...rows);
    while (shown.children.length > most) shown.lastElementChild.remove();
    said.textContent = `Live, the last ${shown.children.length} commits`;
  }
  async function again() {
    try { await look(); } catch { said.textContent = "The board does not answer; waiting"; }
    setTimeout(again, PERIOD_MS);
  }
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    said.textContent = paused ? "Paused; what comes meanwhile is shown later" : "Live";
  });
  said.textContent = said.textContent.replace("The last", "Live, the last");
  again();
})();
