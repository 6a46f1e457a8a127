"use strict";
// Figures: each is asked for as soon as one is about to look at it, two at a time, so that nobody waits for all.
(() => {
  const MOST_AT_ONCE = 2;
  const waiting = [];
  let asking = 0;

  /** Pixels that a chart has. */
  function roomIn(place) {
    const style = getComputedStyle(place);
    return Math.floor(place.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight));
  }
  async function load(place) {
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`${place.dataset.load}&width=${roomIn(place)}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const figure = page.querySelector(".figure") || page.querySelector(".problem");
      if (!figure) throw new Error(answer.statusText);
      place.replaceChildren(document.adoptNode(figure));
    } catch {
      const said = place.querySelector(".waiting");
      if (said) said.textContent = "This figure could not be loaded; the link above shows it.";
    } finally {
      place.removeAttribute("aria-busy");
    }
  }
  async function next() {
    if (asking === MOST_AT_ONCE || !waiting.length) return;
    asking += 1;
    await load(waiting.shift());
    asking -= 1;
    next();
  }
  /** A chart that is wider than its room is drawn anew, for that. */
  async function fit(place) {
    const drawing = place.querySelector(".drawing");
    const chart = drawing?.querySelector("svg");
    if (!chart || roomIn(place) >= Number(chart.getAttribute("width"))) return;
    const answer = await fetch(`${place.dataset.fit}&width=${roomIn(place)}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector(".drawing");
    if (fresh) drawing.replaceWith(document.adoptNode(fresh));
  }
  const alone = document.querySelector("[data-fit]");
  if (alone) fit(alone).catch(() => {});
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      waiting.push(entry.target);
      next();
    }
  }, { rootMargin: "300px" });
  for (const place of document.querySelectorAll("[data-load]")) {
    const button = place.querySelector(".compute");
    if (!button) { seen.observe(place); continue; }
    button.addEventListener("click", () => { button.disabled = true; waiting.push(place); next(); });
  }
})();
