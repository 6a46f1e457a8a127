"use strict";
// The question box: Ctrl+Enter asks.
document.getElementById("q").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    document.getElementById("statement").requestSubmit();
  }
});
