// Times in the reader's zone, and keyboard shortcuts; every page works without them. j and k go from turn to turn and
// to the next page, / searches.
"use strict";
(() => {
  // Times are written in the same form, so that nothing moves. What stands under a month of UTC keeps its day of UTC.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "the zone of this browser";
  const two = (number) => String(number).padStart(2, "0");

  function localTime(date) {
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
  }

  function inBothZones(date, utc) {
    const local = localTime(date);
    return `${utc}` === `${local} UTC` ? utc : `${local} in ${zone}, ${utc}`;
  }

  for (const time of document.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime), text = time.firstChild;
    if (Number.isNaN(date.getTime()) || date.getFullYear() > 9999 || date.getFullYear() < 1000) continue;
    time.title = inBothZones(date, time.title);
    if (!("utc" in time.dataset)) text.data = localTime(date).slice(0, text.data.length);
  }
  for (const link of document.querySelectorAll('a[title$=" UTC"]')) {
    const date = new Date(link.title.replace(" UTC", "Z").replace(" ", "T"));
    if (!Number.isNaN(date.getTime())) link.title = inBothZones(date, link.title);
  }
  for (const until of document.querySelectorAll(".until")) {
    const days = [until.previousElementSibling, until.querySelector("time")].map((time) => time && time.textContent);
    until.hidden = days[0] === days[1];
  }
  document.getElementById("zone").textContent = `Times are in your zone, ${zone}.`;

  const turns = () => [...document.querySelectorAll(".turn")];
  const box = document.querySelector('input[name="q"]');

  function current(all) {
    const focused = all.findIndex((turn) => turn.contains(document.activeElement));
    if (focused >= 0) return focused;
    const edge = 4 + (parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0);
    const below = all.findIndex((turn) => turn.getBoundingClientRect().top > edge);
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

  // What a reader chose is remembered where the browser allows it; head.js reads it before the next page is drawn.
  const root = document.documentElement;

  function choose(name, value, usual) {
    if (value === usual) delete root.dataset[name];
    else root.dataset[name] = value;
    try {
      localStorage.setItem(`chatmirror-${name}`, value);
    } catch {
      // It holds for this page.
    }
  }

  const display = document.querySelector(".display");
  for (const one of display.querySelectorAll("input[name=theme]")) {
    one.checked = one.value === (root.dataset.theme ?? "auto");
    one.addEventListener("change", () => choose("theme", one.value, "auto"));
  }
  const single = display.querySelector("input[name=keys]");
  single.checked = root.dataset.keys !== "off";
  single.addEventListener("change", () => choose("keys", single.checked ? "on" : "off", "on"));
  document.addEventListener("click", (event) => {
    if (!display.contains(event.target)) display.open = false;
  });
  display.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    display.open = false;
    display.querySelector("summary").focus();
  });

  // On a screen with room for it the list of prompts stands beside the text.
  const prompts = document.querySelector(".prompts");
  if (prompts && matchMedia("(min-width: 90rem)").matches) prompts.open = true;

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing) typing.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    if (root.dataset.keys === "off") return;
    event.preventDefault();
    keys[event.key]();
  });

  // Enter opens the result or list entry that j or k has selected.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("li.turn, .hit.turn")) return;
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
  const fold = target && (target.matches("details") ? target : target.querySelector("details"));
  if (fold) fold.open = true;
})();

// Formulas: what is copied of a page has their source, where a drawing has only its letters.
(() => {
  const around = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest("math");

  function wholeFormulas(range) {
    const whole = range.cloneRange(), first = around(range.startContainer), last = around(range.endContainer);
    if (first) whole.setStartBefore(first);
    if (last) whole.setEndAfter(last);
    return whole.cloneContents();
  }

  function sourceOf(math) {
    const source = math.querySelector("annotation")?.textContent ?? "";
    return math.getAttribute("display") === "block" ? `\\[${source}\\]` : `\\(${source}\\)`;
  }

  document.addEventListener("copy", (event) => {
    const selection = getSelection();
    if (event.target.closest?.("input, textarea") || !selection.rangeCount || selection.isCollapsed) return;
    const copied = wholeFormulas(selection.getRangeAt(0));
    if (!copied.querySelector("math")) return;
    copied.querySelectorAll("math").forEach((math) => math.replaceWith(sourceOf(math)));
    // Only what is on the page has line ends between its paragraphs.
    const box = document.createElement("div");
    box.className = "copied";
    box.append(copied);
    document.body.append(box);
    event.clipboardData.setData("text/plain", box.innerText);
    event.clipboardData.setData("text/html", box.innerHTML);
    event.preventDefault();
    box.remove();
  });
})();

// Buttons that copy a message or a card as it was written, where the browser lets a page write to the clipboard.
(() => {
  if (!navigator.clipboard) return;

  function copies(button, text) {
    const label = button.getAttribute("aria-label");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      button.setAttribute("aria-label", "Copied");
      setTimeout(() => {
        button.textContent = "Copy";
        button.setAttribute("aria-label", label);
      }, 1500);
    });
  }

  document.querySelectorAll("button[data-copy]").forEach((button) => {
    button.hidden = false;
    copies(button, button.dataset.copy);
  });
  document.querySelectorAll(".card[data-source]").forEach((card) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy this draft");
    copies(button, card.dataset.source);
    card.append(button);
  });
})();

// A message in a fold that the address points at is shown.
(() => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  let fold = target && target.closest("details:not([open])");
  if (!fold) return;
  for (; fold; fold = fold.parentElement.closest("details")) fold.open = true;
  target.scrollIntoView({ block: "start" });
})();
