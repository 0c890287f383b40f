// Keeps the page live and answers taps at once. Without it every form and link works by itself.
"use strict";
(() => {
  const root = document.documentElement, body = document.body;
  const SILENCE_MS = 6000, RETRY_MS = 3000, IDLE_MS = 60000, TOAST_MS = 4000;
  const toasts = document.querySelector(".toasts");
  const dialog = document.querySelector("dialog");
  const offline = document.querySelector(".offline");
  const waiting = new Map(); // parts that came while a finger was on them
  const held = new Set();
  let source, heard = Date.now();
  root.classList.add("live");

  function replace(id, html) {
    const old = document.getElementById(id);
    if (!old) return;
    if (held.has(id)) { waiting.set(id, html); return; }
    const frame = document.createElement("template");
    frame.innerHTML = html;
    const fresh = frame.content.firstElementChild;
    if (fresh.isEqualNode(old)) return;
    const focus = old.contains(document.activeElement) ? [...old.querySelectorAll("a,button,input")].indexOf(document.activeElement) : -1;
    old.replaceWith(fresh);
    paint(fresh);
    if (focus >= 0) fresh.querySelectorAll("a,button,input")[focus]?.focus();
  }

  function listen() {
    source = new EventSource("/events" + location.search);
    source.addEventListener("part", (e) => { const part = JSON.parse(e.data); replace(part.id, part.html); alive(); });
    source.addEventListener("beat", alive);
    source.addEventListener("hello", (e) => {
      // Another version is served: the parts would not fit this page's styles.
      if (JSON.parse(e.data).stamp !== root.dataset.stamp) location.reload();
      alive();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
    });
  }
  function alive() { heard = Date.now(); offline.hidden = true; }
  setInterval(() => { if (Date.now() - heard > SILENCE_MS) offline.hidden = false; }, 1000);

  function toast(text, icon) {
    const line = document.createElement("p");
    line.className = "toast";
    const mark = document.querySelector(".icon").cloneNode(true);
    mark.firstElementChild.setAttribute("href", "#i-" + icon);
    line.append(mark, text);
    toasts.replaceChildren(line);
    setTimeout(() => line.remove(), TOAST_MS);
  }

  async function ask(form, button) {
    const data = new FormData(form, button);
    button?.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(data), headers: { Accept: "application/json" } });
      const told = await answer.json();
      if (told.word === "refused_stale") location.reload();
      else if (!told.ok) toast(told.text, "warn");
      else if (dialog.open) dialog.close();
      return told.ok;
    } catch {
      toast(toasts.dataset.unreachable, "error");
      return false;
    } finally { button?.removeAttribute("aria-busy"); }
  }
  document.addEventListener("submit", (e) => {
    if (!e.target.matches("form.do")) return;
    e.preventDefault();
    if (e.submitter?.getAttribute("aria-busy") === "true") return;
    ask(e.target, e.submitter);
  });

  document.addEventListener("click", async (e) => {
    const link = e.target.closest("a");
    if (!link) return;
    if (link.dataset.tab) { e.preventDefault(); tab(link.dataset.tab); }
    else if (link.matches(".back") && dialog.open) { e.preventDefault(); dialog.close(); }
    else if (link.matches(".why")) {
      e.preventDefault();
      try {
        const page = new DOMParser().parseFromString(await (await fetch(link.href)).text(), "text/html");
        dialog.replaceChildren(...page.getElementById("why").childNodes);
        dialog.showModal();
      } catch { toast(toasts.dataset.unreachable, "error"); }
    }
  });
  dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });

  function tab(name) {
    body.dataset.tab = name;
    for (const link of document.querySelectorAll("a[data-tab]")) {
      if (link.dataset.tab === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    history.replaceState(null, "", "/?tab=" + name);
  }
  let idle;
  function rest() {
    clearTimeout(idle);
    idle = setTimeout(() => { tab("room"); if (dialog.open) dialog.close(); }, IDLE_MS);
  }
  document.addEventListener("pointerdown", rest);

  // Sliders: the figure follows the finger; the room is asked when it lets go.
  function paint(part) {
    for (const slider of part.querySelectorAll(".slider")) {
      slider.style.setProperty("--fill", 100 * (slider.value - slider.min) / (slider.max - slider.min) + "%");
    }
  }
  document.addEventListener("input", (e) => {
    if (!e.target.matches(".slider")) return;
    const card = e.target.closest(".control");
    const figure = card.querySelector(".control-value");
    figure.dataset.was ??= figure.textContent;
    figure.textContent = e.target.value + " " + e.target.dataset.unit;
    held.add(card.parentElement.id);
    paint(card);
  });
  document.addEventListener("change", async (e) => {
    if (!e.target.matches(".slider")) return;
    const card = e.target.closest(".control"), part = card.parentElement.id;
    const done = await ask(e.target.form, null);
    held.delete(part);
    const late = waiting.get(part);
    waiting.delete(part);
    if (!done) {
      e.target.form.reset();
      card.querySelector(".control-value").textContent = card.querySelector(".control-value").dataset.was;
      paint(card);
    }
    if (late) replace(part, late);
  });

  paint(document);
  for (const line of toasts.children) setTimeout(() => line.remove(), TOAST_MS);
  listen();
  rest();
})();
