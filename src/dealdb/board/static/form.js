"use strict";
// The form of a deal: what was changed goes to the board with the revision that it was read with.
(() => {
  const { say, send, pageAddress } = window.dealdb;
  const form = document.getElementById("deal");
  if (!form) return;
  const isNew = !("rev" in form.dataset);
  const inputs = [...form.querySelectorAll("[data-kind] [name]")];
  const before = valuesOfPage();
  const save = document.getElementById("save");
  const undo = document.getElementById("undo");
  const conflict = document.getElementById("conflict");
  let leaving = false;

  /** The value of each input that the page came with: on a slow link people write before this script runs. */
  function valuesOfPage() {
    const written = inputs.map((input) => input.value);
    form.reset();
    const found = new Map(inputs.map((input) => [input, input.value]));
    for (const [i, input] of inputs.entries()) if (input.value !== written[i]) input.value = written[i];
    return found;
  }
  /** Path of a change of this deal; its id may be an option of the address. */
  function path(word) {
    const [place, query] = form.dataset.path.split("?");
    return place + word + (query ? `?${query}` : "");
  }
  const hasChanged = (input) => input.value !== before.get(input);
  function valueOf(input) {
    if (input.value === "") return null;
    if (input.closest("[data-kind]").dataset.kind === "list") {
      return input.value.split("\n").map((line) => line.trim()).filter(Boolean);
    }
    return input.value;
  }
  const changes = () => Object.fromEntries(inputs.filter(hasChanged).map((input) => [input.name, valueOf(input)]));

  function show() {
    for (const input of inputs) input.closest(".field").classList.toggle("changed", !isNew && hasChanged(input));
    const any = inputs.some(hasChanged);
    // without a script the form would put what was written into the address
    save.disabled = !isNew && !any;
    if (undo) undo.disabled = !any;
  }
  function showFault(name, message) {
    for (const input of inputs) {
      const isIt = input.name === name;
      const fault = input.closest(".field").querySelector(".fault");
      fault.hidden = !isIt;
      fault.textContent = isIt ? message : "";
      if (isIt) { input.setAttribute("aria-invalid", "true"); input.focus(); } else input.removeAttribute("aria-invalid");
    }
  }
  /** What is wrong with a value, at its input: what was expected says it. */
  function faultOf(data) {
    if (!data.expected) return data.message;
    const kind = inputs.find((input) => input.name === data.field).closest("[data-kind]").dataset.kind;
    return `Expected: ${data.expected}${kind === "number" ? ", such as 1234.50" : ""}`;
  }
  function element(tag, text, parent) {
    const made = document.createElement(tag);
    made.textContent = text;
    parent.append(made);
    return made;
  }
  function leave(to) { leaving = true; location.href = to; }

  function showConflict(data) {
    conflict.replaceChildren();
    element("strong", data.message, conflict);
    if (data.fields && data.fields.length) {
      const table = element("table", "", conflict);
      table.className = "conflicts";
      const head = element("tr", "", table.createTHead());
      for (const word of ["Field", "Now", "Yours"]) element("th", word, head).scope = "col";
      for (const field of data.fields) {
        const row = table.insertRow();
        element("th", field.name, row).scope = "row";
        element("td", field.now || "none", row);
        element("td", field.yours === null ? "not changed" : field.yours || "none", row);
      }
    }
    const actions = element("div", "", conflict);
    actions.className = "actions";
    const theirs = element("button", data.rev ? "Take theirs" : "Leave it deleted", actions);
    theirs.type = "button";
    theirs.addEventListener("click", () => leave(data.rev ? location.href : pageAddress("/deals")));
    if (data.rev && data.fields && data.fields.some((field) => field.yours !== null)) {
      const mine = element("button", "Save mine over it", actions);
      mine.type = "button";
      mine.addEventListener("click", () => { form.dataset.rev = data.rev; submit(); });
    }
    conflict.hidden = false;
    conflict.scrollIntoView({ block: "nearest" });
    theirs.focus();
  }

  async function submit() {
    const broken = inputs.find((input) => !input.validity.valid);
    if (broken) { showFault(broken.name, broken.validationMessage); return; }
    conflict.hidden = true;
    showFault(null);
    const body = isNew ? { changes: changes() } : { expect_rev: Number(form.dataset.rev), changes: changes() };
    const focused = document.activeElement;
    // what is written while these are on their way would be lost with the page
    form.inert = save.disabled = true;
    const { status, data } = await send(path(""), body);
    form.inert = save.disabled = status === 200;
    if (status === 200) {
      leave(isNew ? pageAddress(data.path) : location.href);
    } else if (status === 409 && !data.field) {
      showConflict(data);
    } else if (data.field && inputs.some((input) => input.name === data.field)) {
      showFault(data.field, faultOf(data));
    } else {
      conflict.textContent = data.message;
      conflict.hidden = false;
      focused.focus();
    }
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(() => { show(); showFault(null); }));
  addEventListener("beforeunload", (event) => {
    if (!leaving && inputs.some(hasChanged)) event.preventDefault();
  });
  const sure = document.getElementById("sure");
  const remove = document.getElementById("delete");
  if (remove) {
    remove.addEventListener("click", () => sure.showModal());
    sure.addEventListener("close", async () => {
      if (sure.returnValue !== "yes") return;
      const { status, data } = await send(path("/delete"), { expect_rev: Number(form.dataset.rev) });
      if (status === 200) leave(pageAddress("/deals"));
      else if (status === 409) showConflict(data);
      else say(data.message);
    });
  }
  show();
})();
