"use strict";
// Keeps the panel up to date, by server-sent events. Everything is put in as text.
(() => {
  const hood = document.getElementById("hood");
  const log = document.getElementById("hood-log");
  const say = document.getElementById("hood-say");
  const live = document.getElementById("hood-live");
  if (!hood || !window.EventSource) return;
  const field = (name) => hood.querySelector(`[data-field="${name}"]`);
  let after = hood.dataset.after;
  let stream = null;

  const element = (tag, text, className) => {
    const e = document.createElement(tag);
    e.textContent = text;
    if (className) e.className = className;
    return e;
  };

  const left = (until) => {
    const s = Math.round((until - Date.now()) / 1000);
    const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
    if (s <= 0) return "over";
    if (h > 0) return `in ${h} h ${m} min`;
    return m > 0 ? `in ${m} min ${s % 60} s` : `in ${s} s`;
  };
  const countdown = () => {
    const t = field("expiry");
    const until = Date.parse(t.dateTime);
    const text = Number.isNaN(until) ? "–" : left(until);
    if (t.textContent !== text) t.textContent = text;
  };
  setInterval(countdown, 1000);

  const showRequest = (r) => {
    for (const name of ["name", "instance", "who", "owner", "scope", "from", "tokenRequests", "storageReads"]) {
      if (field(name)) field(name).textContent = r[name] === "" ? "–" : r[name];
    }
    if (r.expiry) field("expiry").dateTime = r.expiry;
    else field("expiry").removeAttribute("datetime");
    countdown();
    const calls = r.calls && r.calls.length ? r.calls : ["none"];
    field("calls").replaceChildren(...calls.map((c) => element("li", c)));
  };

  const showEntry = (event) => {
    after = event.lastEventId;
    const e = JSON.parse(event.data);
    const text = element("span", e.text);
    if (e.place) text.append(" ", element("i", e.place));
    if (e.detail) text.append(element("small", e.detail));
    const item = element("li", "", e.kind);
    item.append(element("time", e.time), " ", text);
    log.prepend(item);
    while (log.children.length > 40) log.lastElementChild.remove();
    if (e.request) showRequest(e.request);
    else say.textContent = e.text;
  };

  const showCounts = (event) => {
    const counts = JSON.parse(event.data);
    for (const [name, n] of Object.entries(counts)) {
      const e = hood.querySelector(`[data-count="${name}"]`);
      if (e) e.textContent = n;
    }
    live.hidden = false;
  };

  // A page that is not looked at keeps no connection: a browser has few of them.
  const open = () => {
    if (stream || document.hidden) return;
    stream = new EventSource(`/events?after=${encodeURIComponent(after)}`);
    stream.addEventListener("entry", showEntry);
    stream.addEventListener("counts", showCounts);
    stream.addEventListener("error", () => { live.hidden = true; });
  };
  const close = () => {
    if (stream) stream.close();
    stream = null;
    live.hidden = true;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
})();
