// Keeps the page live. Without it every page, form and link works by itself.
"use strict";
(() => {
  const root = document.documentElement, page = document.body.dataset.page;
  const SILENCE_MS = 6000, RETRY_MS = 3000;
  const TOUCHED = "a,button,input,select,summary";
  const offline = document.querySelector(".offline");
  const state = document.querySelector(".live-state");
  let source, heard = Date.now();

  function replace(id, html) {
    const old = document.getElementById(id);
    if (!old) return;
    const frame = document.createElement("template");
    frame.innerHTML = html;
    const fresh = frame.content.firstElementChild;
    if (old.querySelector("details[open]")) fresh.querySelector("details")?.setAttribute("open", "");
    if (fresh.isEqualNode(old)) return;
    const here = document.activeElement;
    const focus = old.contains(here) ? [...old.querySelectorAll(TOUCHED)].indexOf(here) : -1;
    old.replaceWith(fresh);
    if (focus >= 0) fresh.querySelectorAll(TOUCHED)[focus]?.focus({ preventScroll: true });
  }

  function show(live) {
    offline.hidden = live;
    state.dataset.live = live ? "on" : "off";
    state.querySelector(".live-word").textContent = live ? "Live" : "Not live";
  }
  function alive() { heard = Date.now(); show(true); }

  function listen() {
    const query = new URLSearchParams(location.search);
    query.set("page", page);
    source = new EventSource("/events?" + query);
    source.addEventListener("part", (e) => { const part = JSON.parse(e.data); replace(part.id, part.html); alive(); });
    source.addEventListener("beat", alive);
    source.addEventListener("hello", (e) => {
      // Another version is served: the parts would not fit this page's styles.
      if (JSON.parse(e.data).stamp !== root.dataset.stamp) location.reload();
      root.classList.add("live");
      alive();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(again, RETRY_MS);
    });
  }
  async function again() {
    try {
      // Signed out meanwhile: the page itself leads to the login.
      if ((await fetch("/alive")).status === 401) { location.reload(); return; }
    } catch { /* not there yet */ }
    listen();
  }

  if (document.getElementById("nav") && !document.querySelector(".why")) {
    setInterval(() => { if (Date.now() - heard > SILENCE_MS) show(false); }, 1000);
    listen();
  } else state.hidden = true;
})();
