// Joins noVNC to the machine's own websocket; the address is the page's, nothing of it is chosen here.
import RFB from "/novnc/core/rfb.js";

const screen = document.getElementById("screen");
const state = document.querySelector(".cinema-state");
const url = new URL(screen.dataset.socket, location.href);
url.protocol = location.protocol === "https:" ? "wss:" : "ws:";

function say(what) {
  state.textContent = state.dataset[what];
  document.documentElement.dataset.screen = what;
}

const rfb = new RFB(screen, url.href);
rfb.scaleViewport = true;
rfb.focusOnClick = true;
rfb.addEventListener("connect", () => { say("connected"); rfb.focus(); });
rfb.addEventListener("disconnect", () => say("lost"));
