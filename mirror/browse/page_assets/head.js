// Before anything is drawn: that scripts run, and what the reader chose, so that nothing moves or flashes. A browser that
// forbids a page to remember anything shows what it would show at first.
"use strict";
(() => {
  const root = document.documentElement;
  const kept = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  };
  const theme = kept("chatmirror-theme");
  root.classList.add("script");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (kept("chatmirror-keys") === "off") root.dataset.keys = "off";
})();
