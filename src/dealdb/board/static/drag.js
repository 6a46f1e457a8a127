"use strict";
// Dragging cards by mouse, pen and finger. A finger has to rest on a card first: otherwise it scrolls.
(() => {
  const kanban = window.dealdb.kanban;
  if (!kanban) return;
  const FAR = 6, REST_MS = 350, EDGE = 48, STEP = 14;
  let drag = null;

  function begin() {
    const { card, x, y } = drag;
    const at = card.getBoundingClientRect();
    drag.ghost = card.cloneNode(true);
    drag.ghost.className = "card ghost";
    drag.ghost.removeAttribute("data-id");
    drag.ghost.setAttribute("aria-hidden", "true");
    drag.ghost.inert = true;
    Object.assign(drag.ghost.style, { width: `${at.width}px`, left: `${at.left}px`, top: `${at.top}px` });
    document.body.append(drag.ghost);
    drag.from = [x, y];
    card.classList.add("lifted");
    document.documentElement.classList.add("dragging");
    try { card.setPointerCapture(drag.pointer); } catch { /* the pointer has gone already */ }
    drag.frame = requestAnimationFrame(scroll);
  }
  function target() {
    const section = document.elementFromPoint(drag.x, drag.y)?.closest(".column");
    if (!section || !("to" in section.dataset)) return null;
    const own = drag.lane;
    const lane = kanban.laneOf(section);
    return lane === own || lane === null || (kanban.changesLanes && own !== null) ? section : null;
  }
  function show() {
    const [x, y] = drag.from;
    drag.ghost.style.transform = `translate(${drag.x - x}px, ${drag.y - y}px) rotate(1.5deg)`;
    const over = target();
    if (over === drag.over) return;
    drag.over?.classList.remove("target");
    over?.classList.add("target");
    drag.over = over;
  }
  function pull(place, first, last) {
    if (place < first + EDGE) return -STEP;
    return place > last - EDGE ? STEP : 0;
  }
  /** Scroll what the card is held at the edge of. */
  function scroll() {
    if (!drag?.ghost) return;
    const board = kanban.sectionOf(drag.card)?.closest(".kanban");
    if (board) {
      const at = board.getBoundingClientRect();
      board.scrollLeft += pull(drag.x, Math.max(at.left, 0), Math.min(at.right, innerWidth));
    }
    scrollBy(0, pull(drag.y, 0, innerHeight));
    show();
    drag.frame = requestAnimationFrame(scroll);
  }
  function end() {
    if (!drag) return;
    clearTimeout(drag.timer);
    cancelAnimationFrame(drag.frame);
    drag.ghost?.remove();
    drag.over?.classList.remove("target");
    drag.card.classList.remove("lifted");
    document.documentElement.classList.remove("dragging");
    drag = null;
  }

  document.addEventListener("pointerdown", (event) => {
    const card = event.target.closest?.(".column .card");
    if (!card || drag || event.button !== 0 || !event.isPrimary || event.target.closest(".move")) return;
    drag = { card, pointer: event.pointerId, x: event.clientX, y: event.clientY, touch: event.pointerType === "touch" };
    drag.start = [drag.x, drag.y];
    // news may take the card away meanwhile
    drag.lane = kanban.laneOf(kanban.sectionOf(card));
    if (drag.touch) drag.timer = setTimeout(begin, REST_MS);
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    drag.x = event.clientX;
    drag.y = event.clientY;
    const far = Math.hypot(drag.x - drag.start[0], drag.y - drag.start[1]) > FAR;
    if (drag.ghost) show();
    else if (far && drag.touch) end();
    else if (far) begin();
  });
  document.addEventListener("pointerup", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    const { card, ghost } = drag;
    if (ghost) { drag.x = event.clientX; drag.y = event.clientY; show(); }
    const over = drag.over;
    end();
    if (!ghost) return;
    // the click that follows would open the deal
    const swallow = (click) => { click.preventDefault(); click.stopPropagation(); };
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 50);
    if (over) kanban.move(card, kanban.stageOf(over), kanban.laneOf(over));
  });
  document.addEventListener("pointercancel", end);
  addEventListener("blur", end);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && drag?.ghost) { event.preventDefault(); event.stopPropagation(); end(); }
  }, { capture: true });
  document.addEventListener("touchmove", (event) => { if (drag?.ghost) event.preventDefault(); }, { passive: false });
  document.addEventListener("contextmenu", (event) => { if (drag?.touch) event.preventDefault(); });
  document.addEventListener("dragstart", (event) => { if (event.target.closest?.(".card")) event.preventDefault(); });
})();
