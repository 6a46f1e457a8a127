"use strict";
// Changes since one's last visit: this browser keeps when that was, and nobody else is told.
(() => {
  const form = document.querySelector(".since");
  const link = document.getElementById("visit");
  const key = `dealdb visit ${document.body.dataset.base}`;
  try {
    // a visit is as long as a tab is open
    if (sessionStorage.getItem(key) === null) sessionStorage.setItem(key, localStorage.getItem(key) || "");
    localStorage.setItem(key, form.dataset.now);
    const last = sessionStorage.getItem(key);
    if (last) {
      const address = new URL(location.href);
      address.searchParams.set("since", last);
      link.href = address.pathname + address.search;
      link.hidden = false;
      if (new URL(location.href).searchParams.get("since") === last) link.setAttribute("aria-current", "true");
    }
  } catch {
    // a browser that keeps nothing has no last visit
  }
})();
