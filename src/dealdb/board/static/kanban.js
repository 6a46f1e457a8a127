"use strict";
// The board by keys and menus: moving the focus, moving cards, and what to do about conflicts.
(() => {
  const { say, send } = window.dealdb;
  const MOST_TRIES = 20, AGAIN_MS = 100;
  const board = document.getElementById("board");
  if (!board) return;
  const menu = document.getElementById("move-menu");
  const lanesTo = document.getElementById("lanes-to");
  // lanes by a column that moving a card to another one changes
  const by = "byIsSaved" in board.dataset ? board.dataset.by : null;
  const byWords = (board.dataset.by || "").replaceAll("_", " ");
  const sections = () => [...document.querySelectorAll(".column")];
  const titleOf = (card) => card.querySelector("a");
  const nameOf = (card) => titleOf(card).textContent.trim().slice(0, 80);
  const sectionOf = (card) => card.closest(".column");
  // "=Ann" is the lane of a value, "-" of those without one, null where there are no lanes
  const laneOf = (section) => section.closest(".lane")?.dataset.lane ?? null;
  const valueOf = (lane) => (lane === "-" ? null : lane.slice(1));
  const stageOf = (section) => section.dataset.stage ?? null;
  const notesOf = (of) => of.querySelector("[data-notes]");

  /** The column of a stage: that of the same lane, where there are lanes and it has one. */
  function columnOf(stage, lane) {
    const fits = sections().filter((each) => stageOf(each) === stage);
    return fits.find((each) => laneOf(each) === lane) || fits.find((each) => laneOf(each) === null);
  }
  function cardOf(id) {
    return [...document.querySelectorAll(".card")].find((card) => card.dataset.id === id);
  }
  /** A card, or the one that news have put in its place since it was chosen; nothing where the deal has left the board. */
  const shownOf = (card) => (card.isConnected ? card : cardOf(card.dataset.id));
  const isGone = (card) => say(`${nameOf(card)} is no longer on this board; nothing was saved.`, 12);
  const button = Object.assign(document.createElement("button"), {
    type: "button", className: "move", title: "Move to …", textContent: "⋯",
  });
  button.setAttribute("aria-haspopup", "menu");
  /** Give cards what only a script needs: the commit that they are of, and the button of their menu. */
  function dress(root, seq, token) {
    for (const card of root.matches?.(".card") ? [root] : root.querySelectorAll(".card")) {
      card.dataset.seq = seq;
      // where the deals are in several partitions, only this says which commits a card is of
      if (token?.startsWith("p")) card.token = token;
      if (!menu) continue;
      const own = button.cloneNode(true);
      own.setAttribute("aria-label", `Move ${titleOf(card).textContent}`);
      card.append(own);
    }
  }
  /** Path of a change of a deal. */
  function pathOf(card, word) {
    const [place, query] = titleOf(card).getAttribute("href").slice(document.body.dataset.base.length).split("?");
    return `${place}/${word}${query ? `?${query}` : ""}`;
  }

  /** Ask in a dialog; gives the value of the button that closed it, or "" for Escape. */
  function ask(dialog) {
    return new Promise((resolve) => {
      dialog.returnValue = "";
      dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
      dialog.showModal();
    });
  }
  async function reasonFor(card, stage) {
    const why = document.getElementById("why");
    const input = document.getElementById("why-reason");
    document.getElementById("why-what").textContent = `${nameOf(card)} goes to ${stage}.`;
    input.value = "";
    return await ask(why) === "move" ? input.value : null;
  }
  function cell(row, tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    if (tag === "th") made.scope = "row";
    row.append(made);
  }
  /** Whether what was to be saved is to be saved over what somebody else has saved. */
  async function insists(data) {
    const dialog = document.getElementById("conflict");
    const body = dialog.querySelector("tbody");
    document.getElementById("conflict-what").textContent = data.message;
    body.replaceChildren();
    for (const field of data.fields || []) {
      const row = body.insertRow();
      cell(row, "th", field.name);
      cell(row, "td", field.now || "none");
      cell(row, "td", field.yours === null ? "not changed" : field.yours || "none");
    }
    dialog.querySelector("table").hidden = !body.rows.length;
    dialog.querySelector("[value=theirs]").textContent = data.rev ? "Take theirs" : "Leave it deleted";
    dialog.querySelector("[value=mine]").hidden = !data.rev;
    return await ask(dialog) === "mine";
  }

  /** The board as it is now; nothing where the server does not say it. */
  async function boardOfNow() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const text = answer.ok ? await answer.text() : "";
      return new DOMParser().parseFromString(text, "text/html").getElementById("board");
    } catch { return null; }
  }
  /** Put the columns of stages in the place of those that are shown, as the board has them now; all without stages. Gives whether it could. */
  async function refresh(stages, tries = MOST_TRIES) {
    const fresh = await boardOfNow();
    if (!fresh) return false;
    const seq = Number(fresh.dataset.seq);
    if (seq < Number(board.dataset.seq)) {
      // news came while the page was on its way: it would put back what was before them
      await new Promise((done) => setTimeout(done, AGAIN_MS));
      return tries ? refresh(stages, tries - 1) : false;
    }
    dress(fresh, seq, fresh.dataset.token);
    const putBack = heldFocus(), isOpen = notesOf(board)?.querySelector("details")?.open;
    const before = sections(), after = [...fresh.querySelectorAll(".column")];
    const isSame = before.length === after.length
      && before.every((each, place) => stageOf(each) === stageOf(after[place]) && laneOf(each) === laneOf(after[place]));
    if (!isSame) {
      // a stage or a lane came or went
      board.replaceChildren(...fresh.childNodes);
      if (isOpen) notesOf(board)?.querySelector("details")?.setAttribute("open", "");
      sections().forEach((each) => { each.seq = seq; });
    } else {
      before.forEach((section, place) => {
        if (!stages || stages.includes(stageOf(section))) replaceColumn(section, after[place], seq);
      });
      const names = fresh.querySelectorAll("[data-lane-head]");
      board.querySelectorAll("[data-lane-head]").forEach((name, place) => name.replaceWith(names[place]));
    }
    if (!stages || !isSame) {
      // a part alone does not make the rest of today
      Object.assign(board.dataset, { seq: fresh.dataset.seq, day: fresh.dataset.day });
      takeStages(fresh);
    }
    putBack();
    return true;
  }
  /** Let cards go to the stages that there are now. */
  function takeStages(fresh) {
    board.toggleAttribute("data-asks-reason", fresh.hasAttribute("data-asks-reason"));
    const now = [...fresh.ownerDocument.querySelectorAll("#move-menu [data-to]")];
    const known = menu ? [...menu.querySelectorAll("[data-to]")] : now;
    // a menu stays open where it would have the same items
    if (now.map((each) => each.innerHTML).join() === known.map((each) => each.innerHTML).join()) return;
    closeMenu(false);
    known.forEach((each) => each.remove());
    lanesTo.before(...now);
  }
  function replaceColumn(section, fresh, seq) {
    // older news may still be on their way; where nothing was new there is nothing that these could put back
    if (section.textContent !== fresh.textContent) section.seq = seq;
    const scrolled = section.querySelector("[data-cards]")?.scrollTop;
    section.replaceChildren(...fresh.childNodes);
    if (scrolled) section.querySelector("[data-cards]").scrollTop = scrolled;
  }
  /** A function that gives the focus back to what has it now, when that has been made anew: of a card, a column, the head of a lane or the notes. */
  function heldFocus() {
    const held = document.activeElement ?? document.body;
    const id = held.closest(".card")?.dataset.id;
    const section = held.closest(".column"), lane = held.closest(".lane")?.dataset.lane;
    const holder = () => {
      if (id !== undefined) return cardOf(id);
      if (section) return sections().find((each) => stageOf(each) === stageOf(section) && laneOf(each) === (lane ?? null));
      if (held.closest("[data-notes]")) return notesOf(board);
      return [...board.querySelectorAll(".lane")].find((each) => each.dataset.lane === lane);
    };
    const linksOf = (of) => [...of?.querySelectorAll("a, button, summary") ?? []];
    const place = linksOf(holder()).indexOf(held);
    return () => {
      if (document.activeElement !== document.body) return;
      const all = linksOf(holder());
      const isLike = (each) => each?.className === held.className;
      const same = all.find((each) => isLike(each) && each.href === held.href);
      // another day is in another address
      const now = held.isConnected ? held : same ?? (isLike(all[place]) ? all[place] : all[0]);
      now?.focus({ preventScroll: true });
    };
  }
  function focusOn(id, otherwise) {
    const card = cardOf(id);
    if (card) titleOf(card).focus({ preventScroll: true });
    else otherwise?.querySelector(".toggle, .count")?.focus();
  }

  function place(card, section) {
    const list = section?.querySelector("[data-cards]");
    if (list) list.prepend(card); else if (section) card.remove();
  }
  const laneSaid = (lane) => valueOf(lane) || (lane === "-" ? `without ${byWords}` : "empty");
  /** What a move has changed, in words. */
  function movedSaid(card, stage, from, lane) {
    const parts = [];
    if (stage !== undefined) parts.push(`is in ${stage} now`);
    if (lane !== undefined) {
      parts.push(lane === "-" ? `has no ${byWords} any more (was ${laneSaid(from)})`
        : `has the ${byWords} ${laneSaid(lane)} now (${from === "-" ? "had none" : `was ${laneSaid(from)}`})`);
    }
    return `${nameOf(card)} ${parts.join(" and ")}.`;
  }
  /** Move a card to a stage, to a lane or both, and save it; it returns where that can't be. */
  async function move(chosen, toStage, toLane, keepFocus = true) {
    let card = shownOf(chosen);
    if (!card) { isGone(chosen); return; }
    const from = sectionOf(card);
    const fromLane = laneOf(from);
    const stage = toStage === stageOf(from) ? undefined : toStage;
    const lane = fromLane === null || toLane === null || toLane === undefined || toLane === fromLane ? undefined : toLane;
    if ((stage === undefined && lane === undefined) || card.classList.contains("moving")) return;
    // what has changed since the card was chosen is a conflict
    const body = chosen.rev ? { expect_rev: chosen.rev } : { seq: Number(chosen.dataset.seq) };
    if (chosen.token) body.token = chosen.token;
    if (stage !== undefined) body.stage = stage;
    if (lane !== undefined) Object.assign(body, { by: board.dataset.by, lane: valueOf(lane) });
    const isLost = stage !== undefined && menu.querySelector(`[data-to="${CSS.escape(stage)}"] .lost`);
    if (isLost && "asksReason" in board.dataset) {
      const reason = await reasonFor(card, stage);
      card = shownOf(card);
      if (!card) { isGone(chosen); return; }
      if (reason === null) { titleOf(card).focus(); return; }
      if (reason.trim()) body.loss_reason = reason;
    }
    const next = card.nextElementSibling;
    const list = card.parentElement;
    const back = () => list.insertBefore(card, next && next.parentElement === list ? next : null);
    const path = pathOf(card, "move");
    card.classList.add("moving");
    const to = columnOf(stage ?? stageOf(from), lane ?? fromLane);
    place(card, to);
    if (keepFocus && card.isConnected) titleOf(card).focus();
    let { status, data } = await send(path, body);
    if (status === 409) {
      back();
      if (await insists(data)) {
        delete body.seq;
        delete body.token;
        ({ status, data } = await send(path, { ...body, expect_rev: data.rev }));
      } else {
        const isOfNow = await refresh();
        if (keepFocus && document.activeElement === document.body) focusOn(card.dataset.id, from);
        say(isOfNow ? "Nothing was saved: the board shows what is there now." : "Nothing was saved.");
        card.classList.remove("moving");
        return;
      }
    }
    card.classList.remove("moving");
    if (status === 200) {
      if (card.token) card.rev = data.rev; else card.dataset.seq = data.rev;
      say(movedSaid(card, stage, fromLane, lane));
      await refresh([stageOf(from), stage ?? stageOf(from)]);
    } else {
      back();
      say(data.message || "The board refused it; nothing was saved.", 12);
    }
    // whoever has gone on meanwhile, to a menu or another card, stays there
    if (keepFocus && document.activeElement === document.body) focusOn(card.dataset.id, status === 200 ? to : from);
  }

  // keys: arrows move the focus, Alt with an arrow moves the card
  function step(card, key) {
    const section = sectionOf(card);
    const own = [...section.querySelectorAll(".card")];
    if (key === "ArrowDown") return own[own.indexOf(card) + 1];
    if (key === "ArrowUp") return own[own.indexOf(card) - 1];
    const columns = sections().filter((each) => laneOf(each) === laneOf(section) && each.querySelector(".card"));
    const other = columns[columns.indexOf(section) + (key === "ArrowRight" ? 1 : -1)];
    if (!other) return null;
    const cards = [...other.querySelectorAll(".card")];
    return cards[Math.min(own.indexOf(card), cards.length - 1)];
  }
  function neighbour(card, key) {
    const stages = [...menu.querySelectorAll("[data-to]")].map((each) => each.dataset.to);
    const place = stages.indexOf(stageOf(sectionOf(card)));
    return stages[place + (key === "ArrowRight" ? 1 : -1)];
  }
  const lanes = () => [...document.querySelectorAll(".lane")].map((each) => each.dataset.lane);
  function nextLane(card, key) {
    const all = lanes();
    return all[all.indexOf(laneOf(sectionOf(card))) + (key === "ArrowDown" ? 1 : -1)];
  }
  document.addEventListener("keydown", (event) => {
    const card = event.target.closest?.(".card");
    if (!card || !event.key.startsWith("Arrow") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.altKey) {
      const isUpOrDown = event.key === "ArrowUp" || event.key === "ArrowDown";
      if (!menu || (isUpOrDown && !by)) return;
      event.preventDefault();
      const to = isUpOrDown ? nextLane(card, event.key) : neighbour(card, event.key);
      if (!to) say(`There is no further ${isUpOrDown ? "lane" : "stage"}.`);
      else if (isUpOrDown) move(card, stageOf(sectionOf(card)), to);
      else move(card, to);
      return;
    }
    event.preventDefault();
    const next = step(card, event.key);
    if (next) { titleOf(next).focus(); next.scrollIntoView({ block: "nearest", inline: "nearest" }); }
  });

  // the menu "Move to"
  let menuCard = null;
  function openMenu(button) {
    menuCard = button.closest(".card");
    const stage = stageOf(sectionOf(menuCard));
    for (const each of menu.querySelectorAll("[data-to]")) each.hidden = each.dataset.to === stage;
    showLanes(laneOf(sectionOf(menuCard)));
    menu.hidden = false;
    placeMenu();
    button.setAttribute("aria-expanded", "true");
    itemsOf()[0]?.focus();
  }
  /** By its button, wherever scrolling or news have moved that; out of view there is none. */
  function placeMenu() {
    const at = menuCard && shownOf(menuCard)?.querySelector(".move")?.getBoundingClientRect();
    // news may be about to bring the card back
    if (!at) return;
    if (at.bottom < 0 || at.top > innerHeight) { closeMenu(false); return; }
    menu.style.left = `${Math.max(8, Math.min(at.right - menu.offsetWidth, innerWidth - menu.offsetWidth - 8))}px`;
    menu.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
  }
  const itemsOf = () => [...menu.querySelectorAll("[role=menuitem]:not([hidden])")];
  /** The other lanes, below the stages. */
  function showLanes(own) {
    const others = by ? lanes().filter((lane) => lane !== own) : [];
    lanesTo.hidden = !others.length;
    lanesTo.replaceChildren(...others.map((lane) => {
      const item = document.createElement("button");
      Object.assign(item, { type: "button", tabIndex: -1, textContent: `${byWords}: ${lane === "-" ? "none" : laneSaid(lane)}` });
      item.setAttribute("role", "menuitem");
      item.dataset.toLane = lane;
      return item;
    }));
  }
  function moveBy(item, card) {
    const shown = shownOf(card);
    if (shown) move(card, item.dataset.to ?? stageOf(sectionOf(shown)), item.dataset.toLane); else isGone(card);
  }
  function closeMenu(returns) {
    if (!menuCard) return;
    const button = shownOf(menuCard)?.querySelector(".move");
    button?.setAttribute("aria-expanded", "false");
    menu.hidden = true;
    if (returns) button?.focus();
    menuCard = null;
  }
  if (menu) {
    document.addEventListener("click", (event) => {
      const button = event.target.closest(".card .move");
      const item = event.target.closest("#move-menu [role=menuitem]");
      const card = menuCard;
      if (button) { event.preventDefault(); closeMenu(false); openMenu(button); }
      else if (item && card) { closeMenu(false); moveBy(item, card); }
      else if (!event.target.closest("#move-menu")) closeMenu(false);
    });
    menu.addEventListener("keydown", (event) => {
      const items = itemsOf();
      const place = items.indexOf(document.activeElement);
      const to = { ArrowDown: place + 1, ArrowUp: place - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); items[to % items.length].focus(); }
      else if (event.key === "Escape") { event.preventDefault(); closeMenu(true); }
      else if (event.key === "Tab") closeMenu(true);
    });
    addEventListener("scroll", placeMenu, { capture: true, passive: true });
  }
  for (const each of document.querySelectorAll("[data-cancel]")) {
    each.addEventListener("click", () => each.closest("dialog").close(""));
  }
  // a choice shows at once; the button is for those without scripts
  const choices = [...document.querySelectorAll(".choices select")];
  for (const each of choices) each.addEventListener("change", () => each.form.requestSubmit());
  // on a slow link people choose before this script runs
  const isChosen = (select) => select.selectedOptions[0] !== (select.querySelector("[selected]") || select.options[0]);
  choices.find(isChosen)?.form.requestSubmit();
  document.querySelector(".choices")?.classList.add("at-once");
  dress(board, board.dataset.seq, board.dataset.token);

  window.dealdb.kanban = { dress, move, refresh, changesLanes: by !== null, sections, stageOf, laneOf, sectionOf, heldFocus };
})();
