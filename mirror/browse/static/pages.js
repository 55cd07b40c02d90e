// Keyboard shortcuts; every page works without them. j and k go from turn to turn and to the next page, / searches.
"use strict";
(() => {
  const turns = () => [...document.querySelectorAll(".turn")];
  const box = document.querySelector('input[name="q"]');

  function current(all) {
    const focused = all.findIndex((turn) => turn.contains(document.activeElement));
    if (focused >= 0) return focused;
    const below = all.findIndex((turn) => turn.getBoundingClientRect().top > 4);
    return (below < 0 ? all.length : below) - 1;
  }

  function go(step) {
    const all = turns();
    const next = current(all) + step;
    if (next >= 0 && next < all.length) {
      all.forEach((turn) => turn.classList.remove("current"));
      all[next].classList.add("current");
      all[next].focus({ preventScroll: true });
      all[next].scrollIntoView({ block: "start" });
      return;
    }
    const on = document.querySelector(step > 0 ? 'a[rel="next"]' : 'a[rel="prev"]');
    if (on) location.assign(on.href);
  }

  function follow(selector) {
    const link = document.querySelector(selector);
    if (link) location.assign(link.href);
  }

  const keys = {
    j: () => go(1),
    k: () => go(-1),
    "/": () => box && (box.focus(), box.select()),
    h: () => follow("header nav a"),
    n: () => follow(".neighbours .newer"),
    ",": () => follow(".finds .before"),
    ".": () => follow(".finds .after"),
    p: () => follow(".neighbours .older"),
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing) typing.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  // Enter opens the result or list entry that j or k has selected.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches(".turn")) return;
    const link = event.target.querySelector("h2 a, a");
    if (link) location.assign(link.href);
  });

  // Code can be copied where the browser lets a page write to the clipboard.
  for (const code of navigator.clipboard ? document.querySelectorAll("pre.code") : []) {
    const box = document.createElement("div"), button = document.createElement("button");
    box.className = "copyable";
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    code.before(box);
    box.append(code, button);
  }

  // A folded message that the address points at is opened.
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const fold = target && target.querySelector("details");
  if (fold) fold.open = true;
})();
