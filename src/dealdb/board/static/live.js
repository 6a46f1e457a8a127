"use strict";
// What others save, as it happens: one stream of events for the page that is shown.
(() => {
  const { say, address } = window.dealdb;
  const path = document.body.dataset.path;
  const state = document.getElementById("state");
  if (!state || path === undefined) return;
  const board = document.getElementById("board");
  const changed = document.getElementById("changed");
  const AGAIN_MS = 3000, LEAST_MS = 1000;
  const seen = new Set();
  let last = "", stale = new Set(), busy = false, all = false, live = "", many = false, source;

  function show(kind, text) {
    state.className = `state ${kind}`;
    if (state.textContent !== text) state.textContent = text;
    state.hidden = false;
  }
  function showCounts(data) {
    if (data.state) show("live", live = data.state);
    const kept = document.querySelector("[data-kept]");
    if (kept && data.kept) kept.textContent = data.kept;
    const all = document.querySelector("[data-deals]");
    if (all && data.deals) all.textContent = data.deals;
    const closed = document.querySelector("[data-closed]");
    if (closed && data.closed) closed.textContent = data.closed;
    const notes = document.querySelector("[data-notes]");
    if (notes && data.notes !== undefined) showNotes(notes, data.notes);
  }
  function showNotes(box, html) {
    if (box.said === html) return;
    const isOpen = box.querySelector("details")?.open, hasFocus = box.contains(document.activeElement);
    box.innerHTML = box.said = html;
    const details = box.querySelector("details");
    if (details && isOpen) details.open = true;
    if (hasFocus) details?.querySelector("summary").focus({ preventScroll: true });
  }
  function element(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html.trim();
    return holder.content.firstElementChild;
  }
  const isBusy = () => document.querySelector(".lifted, .moving");
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  /** Have columns made anew, soon and not too often; all of them without a stage. */
  async function makeAnew(stage) {
    if (stage === undefined) all = true; else stale.add(stage);
    if (busy || !window.dealdb.kanban) return;
    busy = true;
    await wait(isBusy() ? LEAST_MS : 50);
    while (isBusy()) await wait(LEAST_MS);
    const stages = all ? null : [...stale];
    stale = new Set();
    all = false;
    const isDone = await window.dealdb.kanban.refresh(stages);
    if (isDone && live) show("live", live);
    if (!isDone) {
      // no news will bring what was not made now
      show("lost", "not up to date");
      if (stages) stages.forEach((each) => stale.add(each)); else all = true;
    }
    await wait(isDone ? LEAST_MS : AGAIN_MS);
    busy = false;
    if (all || stale.size) makeAnew(all ? undefined : [...stale][0]);
  }

  function showCards(list, part, seq, token) {
    const has = new Map([...list.children].map((card) => [card.dataset.id, card]));
    let isWhole = true;
    const cards = [];
    for (const id of part.order) {
      const html = part.cards[id];
      let card = has.get(id);
      if (html !== undefined) {
        const fresh = element(html);
        window.dealdb.kanban.dress(fresh, seq, token);
        fresh.classList.add("fresh");
        if (card) card.replaceWith(fresh);
        card = fresh;
      }
      if (card) cards.push(card); else isWhole = false;
      has.delete(id);
    }
    for (const card of has.values()) card.remove();
    cards.forEach((card, place) => {
      if (list.children[place] !== card) list.insertBefore(card, list.children[place] || null);
    });
    return isWhole;
  }
  function showColumn(part, seq, token) {
    const { sections, stageOf, laneOf } = window.dealdb.kanban;
    if (part.is_name) {
      const lane = [...board.querySelectorAll(".lane")].find((each) => each.dataset.lane === part.lane);
      if (lane) lane.querySelector("[data-lane-head]").replaceWith(element(part.head)); else makeAnew();
      return;
    }
    const section = sections().find((each) => stageOf(each) === part.stage && laneOf(each) === part.lane);
    if (!section) { makeAnew(); return; }
    if (seq < (section.seq || 0)) return;
    section.seq = seq;
    section.querySelector("[data-head]").replaceWith(element(part.head));
    if (part.reload) { makeAnew(part.stage); return; }
    const list = section.querySelector("[data-cards]");
    if (!list) return;
    if (!showCards(list, part, seq, token)) makeAnew(part.stage);
    section.querySelector("[data-rest]").innerHTML = part.rest;
  }
  function showBoard(data) {
    if (!board || !window.dealdb.kanban) return;
    if (data.seq < Number(board.dataset.seq)) return;
    if (isBusy()) { makeAnew(); return; }
    const putBack = window.dealdb.kanban.heldFocus();
    for (const part of data.columns) showColumn(part, data.seq, data.token);
    const columns = data.columns.filter((part) => !part.is_name);
    if (data.whole && columns.length !== window.dealdb.kanban.sections().length) makeAnew();
    for (const section of window.dealdb.kanban.sections()) {
      // made in between: what has changed and changed back since is no news
      if (!data.whole && section.seq > data.after && section.seq < data.seq) makeAnew(window.dealdb.kanban.stageOf(section));
    }
    board.dataset.seq = data.seq;
    board.dataset.day = data.day;
    putBack();
  }
  function beginAt(seq) {
    board.dataset.seq = seq;
    window.dealdb.kanban.sections().forEach((each) => { each.seq = 0; });
  }
  function showChanged(ids) {
    if (!changed) return;
    // how many is not known any more, whatever comes later
    many ||= ids === null;
    ids?.forEach((id) => seen.add(id));
    if (!many && !seen.size) return;
    changed.textContent = many ? "The deals have changed: show" : `${seen.size} changed: show`;
    changed.hidden = false;
  }

  function listen() {
    const options = new URLSearchParams(location.search);
    options.set("path", path);
    const seq = board?.dataset.seq || document.querySelector("[data-seq]")?.dataset.seq;
    if (seq) options.set("seq", seq);
    const begin = last || document.querySelector("[data-token]")?.dataset.token;
    if (begin) options.set("last", begin);
    const day = document.querySelector("[data-day]")?.dataset.day;
    if (day) options.set("day", day);
    source = new EventSource(`${address("/live")}?${options}`);
    const on = (kind, act) => source.addEventListener(kind, (event) => {
      last = event.lastEventId || last;
      const data = JSON.parse(event.data);
      showCounts(data);
      act(data);
    });
    on("board", showBoard);
    on("view", (data) => showChanged(data.changed));
    on("feed", (data) => window.dealdb.feed?.show(data));
    on("reload", (data) => {
      if (board) {
        // the numbers of another history begin anew: nothing of it is older than what is shown
        if (data.seq < Number(board.dataset.seq)) beginAt(data.seq);
        makeAnew();
      } else if (window.dealdb.feed) window.dealdb.feed.reload();
      else showChanged(null);
    });
    on("away", () => show("lost", "the server is away"));
    on("problem", (data) => { show("lost", "not up to date"); say(data.message); });
    source.addEventListener("error", () => {
      show("lost", "reconnecting");
      if (source.readyState !== EventSource.CLOSED) return;
      // refused: the browser does not try again by itself
      source.close();
      listenWhenLetIn(source.url);
    });
  }
  /** Whether somebody who is not signed in is why the stream is refused; it is asked for again until it is not. */
  async function listenWhenLetIn(url) {
    for (let status = 0; status !== 200;) {
      await wait(status ? AGAIN_MS : 0);
      const asking = new AbortController();
      status = await fetch(url, { signal: asking.signal }).then((answer) => answer.status, () => -1);
      asking.abort();
      showSignedOut(status === 401);
    }
    listen();
  }
  /** A page whose session is no longer known, as after a restart of the board, says what to do. */
  function showSignedOut(isOut) {
    const known = document.getElementById("signed-out");
    show("lost", isOut ? "signed out" : "reconnecting");
    if (!isOut) known?.remove();
    if (!isOut || known) return;
    const note = Object.assign(document.createElement("p"), { id: "signed-out", className: "problem" });
    note.setAttribute("role", "alert");
    const link = Object.assign(document.createElement("a"), { href: location.href, textContent: "Sign in again" });
    note.append("You are signed out: the board may have been started anew. ", link,
      ", here or in another window of this browser: then this page goes on by itself.");
    document.getElementById("main").prepend(note);
  }
  listen();
  addEventListener("pagehide", () => source.close(), { once: true });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
