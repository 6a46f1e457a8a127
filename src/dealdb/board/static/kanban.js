"use strict";
// The board by keys and menus: moving the focus, moving cards, and what to do about conflicts.
(() => {
  const { say, send } = window.dealdb;
  const board = document.getElementById("board");
  if (!board) return;
  const menu = document.getElementById("move-menu");
  const sections = () => [...document.querySelectorAll(".column")];
  const titleOf = (card) => card.querySelector("a");
  const nameOf = (card) => titleOf(card).textContent.trim().slice(0, 80);
  const sectionOf = (card) => card.closest(".column");
  const laneOf = (section) => { const lane = section.closest(".lane"); return lane ? lane.dataset.lane : null; };
  const stageOf = (section) => section.dataset.stage;

  /** The column of a stage: that of the same lane, where there are lanes and it has one. */
  function columnOf(stage, lane) {
    const fits = sections().filter((each) => stageOf(each) === stage);
    return fits.find((each) => laneOf(each) === lane) || fits[0];
  }
  function cardOf(id) {
    return [...document.querySelectorAll(".card")].find((card) => card.dataset.id === id);
  }
  const button = Object.assign(document.createElement("button"), {
    type: "button", className: "move", title: "Move to …", textContent: "⋯",
  });
  button.setAttribute("aria-haspopup", "menu");
  /** Give cards what only a script needs: the commit that they are of, and the button of their menu. */
  function dress(root, seq) {
    for (const card of root.matches?.(".card") ? [root] : root.querySelectorAll(".card")) {
      card.dataset.seq = seq;
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
    dialog.querySelector("[value=mine]").hidden = !data.rev;
    return await ask(dialog) === "mine";
  }

  /** Put the columns of stages in the place of those that are shown, as the board has them now. */
  async function refresh(stages) {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer || !answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const active = document.activeElement && document.activeElement.closest(".card");
    const seq = fresh.getElementById("board")?.dataset.seq;
    if (seq) dress(fresh, seq);
    for (const section of sections()) {
      if (stages && !stages.includes(stageOf(section))) continue;
      const other = [...fresh.querySelectorAll(".column")].find(
        (each) => stageOf(each) === stageOf(section) && laneOf(each) === laneOf(section));
      if (!other) continue;
      const scrolled = section.querySelector("[data-cards]")?.scrollTop;
      section.replaceChildren(...other.childNodes);
      if (scrolled) section.querySelector("[data-cards]").scrollTop = scrolled;
    }
    if (seq) board.dataset.seq = seq;
    if (active && !active.isConnected) focusOn(active.dataset.id);
  }
  function focusOn(id, otherwise) {
    const card = cardOf(id);
    if (card) titleOf(card).focus();
    else otherwise?.querySelector(".toggle, .count")?.focus();
  }

  function place(card, section) {
    const list = section.querySelector("[data-cards]");
    if (list) list.prepend(card); else card.remove();
  }
  /** Move a card to a stage and save it; it returns where that can't be. */
  async function move(card, stage, keepFocus = true) {
    const from = sectionOf(card);
    const to = columnOf(stage, laneOf(from));
    const next = card.nextElementSibling;
    const list = card.parentElement;
    if (!stage || stageOf(from) === stage || card.classList.contains("moving")) return;
    const body = { stage, seq: Number(card.dataset.seq) };
    const isLost = menu.querySelector(`[data-to="${CSS.escape(stage)}"] .lost`);
    if (isLost && "asksReason" in board.dataset) {
      const reason = await reasonFor(card, stage);
      if (reason === null) { titleOf(card).focus(); return; }
      if (reason.trim()) body.loss_reason = reason;
    }
    const path = pathOf(card, "move");
    card.classList.add("moving");
    if (to) place(card, to);
    if (keepFocus && card.isConnected) titleOf(card).focus();
    let { status, data } = await send(path, body);
    if (status === 409) {
      list.insertBefore(card, next && next.parentElement === list ? next : null);
      if (await insists(data)) {
        delete body.seq;
        ({ status, data } = await send(path, { ...body, expect_rev: data.rev }));
      } else {
        await refresh();
        focusOn(card.dataset.id, from);
        say("Nothing was saved: the board shows what is there now.");
        card.classList.remove("moving");
        return;
      }
    }
    card.classList.remove("moving");
    if (status === 200) {
      card.dataset.seq = data.rev;
      say(`${nameOf(card)} is in ${stage} now.`);
      await refresh([stageOf(from), stage]);
      if (keepFocus) focusOn(card.dataset.id, to);
    } else {
      list.insertBefore(card, next && next.parentElement === list ? next : null);
      if (keepFocus) titleOf(card).focus();
      say(data.message || "The board refused it; nothing was saved.", 12);
    }
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
  document.addEventListener("keydown", (event) => {
    const card = event.target.closest?.(".card");
    if (!card || !event.key.startsWith("Arrow") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.altKey) {
      if (!menu || event.key === "ArrowUp" || event.key === "ArrowDown") return;
      event.preventDefault();
      const stage = neighbour(card, event.key);
      if (stage) move(card, stage); else say("There is no further stage.");
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
    menu.hidden = false;
    const at = button.getBoundingClientRect();
    menu.style.left = `${Math.max(8, Math.min(at.right - menu.offsetWidth, innerWidth - menu.offsetWidth - 8))}px`;
    menu.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
    button.setAttribute("aria-expanded", "true");
    menu.querySelector("[data-to]:not([hidden])")?.focus();
  }
  function closeMenu(returns) {
    if (!menuCard) return;
    const button = menuCard.querySelector(".move");
    button?.setAttribute("aria-expanded", "false");
    menu.hidden = true;
    if (returns) button?.focus();
    menuCard = null;
  }
  if (menu) {
    document.addEventListener("click", (event) => {
      const button = event.target.closest(".card .move");
      const item = event.target.closest("#move-menu [data-to]");
      const card = menuCard;
      if (button) { event.preventDefault(); closeMenu(false); openMenu(button); }
      else if (item && card) { closeMenu(false); move(card, item.dataset.to); }
      else if (!event.target.closest("#move-menu")) closeMenu(false);
    });
    menu.addEventListener("keydown", (event) => {
      const items = [...menu.querySelectorAll("[data-to]:not([hidden])")];
      const place = items.indexOf(document.activeElement);
      const to = { ArrowDown: place + 1, ArrowUp: place - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); items[to % items.length].focus(); }
      else if (event.key === "Escape") { event.preventDefault(); closeMenu(true); }
      else if (event.key === "Tab") closeMenu(true);
    });
    addEventListener("scroll", () => closeMenu(false), { capture: true, passive: true });
  }
  for (const each of document.querySelectorAll("[data-cancel]")) {
    each.addEventListener("click", () => each.closest("dialog").close(""));
  }
  // a choice shows at once; the button is for those without scripts
  for (const each of document.querySelectorAll(".choices select")) {
    each.addEventListener("change", () => each.form.requestSubmit());
  }
  document.querySelector(".choices")?.classList.add("at-once");
  dress(document, board.dataset.seq);

  window.dealdb.kanban = { dress, move, refresh, sections, stageOf, laneOf, sectionOf, cardOf, focusOn };
})();
