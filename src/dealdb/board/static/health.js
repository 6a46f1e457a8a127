"use strict";
// Health: a check of all deals, on demand.
(() => {
  const button = document.getElementById("check");
  const said = document.getElementById("checked");
  const count = new Intl.NumberFormat();
  button.addEventListener("click", async () => {
    button.disabled = true;
    said.hidden = false;
    said.className = "note";
    said.textContent = "Every deal is compared with the log …";
    const { status, data } = await window.dealdb.send("/check", {});
    button.disabled = false;
    if (status !== 200) {
      said.className = "problem";
      said.textContent = data.message;
    } else if (data.ok) {
      said.textContent = `${count.format(data.deals)} deals agree with the log.`;
    } else {
      said.className = "warning";
      const ids = data.ids.length ? `: ${data.ids.join(", ")}` : "";
      said.textContent = `${count.format(data.differences)} of ${count.format(data.deals)} deals differ from the log${ids}. dealdb check lists them, dealdb repair mends them.`
        + (data.lost_facts ? ` ${count.format(data.lost_facts)} kept facts are lost; dealdb repair makes them again.` : "");
    }
  });
})();
