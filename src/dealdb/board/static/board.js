"use strict";
// What all pages share, as window.dealdb: messages, changes sent to the board, menus.
// Scripts are plain ones, deferred, in the order of the page: names of files have hashes, so none imports another.

const said = document.getElementById("said");
let timer;

/** Say something in the live region; it goes after a while. */
function say(text, seconds = 6) {
  said.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => { said.textContent = ""; }, seconds * 1000);
}

/** Address of a path of the board, wherever it is mounted. */
function address(path) {
  return document.body.dataset.base + path;
}

/** Address of a page of the board; without a header where this one has none, in a frame. */
function pageAddress(path) {
  const embed = new URLSearchParams(location.search).get("embed");
  return address(path) + (embed ? `${path.includes("?") ? "&" : "?"}${new URLSearchParams({ embed })}` : "");
}

/** Send a change; gives { status, data }. Without a server the status is 0. */
async function send(path, body, method = "POST") {
  try {
    const answer = await fetch(address(path), {
      method,
      headers: { "Content-Type": "application/json", "X-Dealdb": "1" },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    let data;
    try { data = JSON.parse(text); } catch { data = { message: text.trim() }; }
    return { status: answer.status, data };
  } catch {
    return { status: 0, data: { message: "The board does not answer. Nothing is known of this change: look at the deal." } };
  }
}

// a menu closes by Escape, by a click elsewhere, and when the focus leaves it
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector("details.drop[open]");
  if (open) { open.open = false; open.querySelector("summary").focus(); }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.drop[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

window.dealdb = { say, address, pageAddress, send };

// of a menu that is wider than a phone, the page that is shown; a script that asks where things stand before the page
// is shown delays it
const here = document.querySelector(".menu [aria-current]");
if (here) {
  requestAnimationFrame(() => {
    const menu = here.closest(".menu");
    const past = here.getBoundingClientRect().right - menu.getBoundingClientRect().right;
    if (past > 0) menu.scrollLeft += past + 16;
  });
}

// what is beside the content stands above it on a phone, and is folded there
if (matchMedia("(max-width: 800px)").matches) {
  for (const each of document.querySelectorAll("[data-open-when-wide]")) each.open = false;
}
