"use strict";
// What the pages do beyond links and forms. Without it everything is still there, after a reload.

// Live: the list asks what came since it was made, and takes the new rows from the page itself.
const list = document.querySelector('[data-page="list"]');
const unseen = document.getElementById("unseen");
const title = document.title;
let seen = list ? list.dataset.newest : "";

function tell(count) {
  if (!unseen) return;
  unseen.hidden = count === 0;
  unseen.textContent = count > 998 ? "999+" : String(count);
  unseen.setAttribute("aria-label", `${count} new`);
  document.title = count ? `(${unseen.textContent}) ${title}` : title;
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [here, there] = [document.getElementById("list"), fresh.getElementById("list")];
  const at = here.querySelector("tr.at")?.dataset.id;
  const known = new Set([...here.querySelectorAll("tr[data-id]")].map((row) => row.dataset.id));
  here.replaceChildren(...there.children);
  for (const row of here.querySelectorAll("tr[data-id]")) {
    if (!known.has(row.dataset.id)) row.classList.add("new");
    if (row.dataset.id === at) row.classList.add("at");
  }
  const stats = [document.querySelector(".stats"), fresh.querySelector(".stats")];
  if (stats[0] && stats[1]) stats[0].replaceChildren(...stats[1].childNodes);
}

if (list && "EventSource" in window) {
  let shown = seen;
  const listen = () => {
    const source = new EventSource(`${list.dataset.events}${seen ? `?seen=${seen}` : ""}`);
    source.addEventListener("pushes", (event) => {
      source.close();
      const { newest, new: count } = JSON.parse(event.data);
      const came = newest && newest !== shown;
      if (came) shown = newest;
      if (document.hidden) tell(seen ? count : newest ? 1 : 0);
      else if (newest) seen = newest;
      if (came && list.dataset.first === "yes") {
        if (location.search) setTimeout(refresh, 1500); // the index that filters is a moment behind the inbox
        refresh().then(() => { document.getElementById("said").textContent = "New pushes are shown."; });
      }
      setTimeout(listen, 1000);
    });
    source.addEventListener("error", () => { source.close(); setTimeout(listen, 4000); });
  };
  listen();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { seen = shown; tell(0); }
  });
}

// Keys.
const rows = () => [...document.querySelectorAll("#rows tr")];
function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("at"));
  const to = Math.min(Math.max(at + step, 0), all.length - 1);
  all[at]?.classList.remove("at");
  all[to].classList.add("at");
  all[to].querySelector("a.open").focus();
  all[to].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const acts = {
    j: () => move(1),
    k: () => move(-1),
    u: () => history.length > 1 ? history.back() : document.querySelector("a.home")?.click(),
    n: () => document.getElementById("older")?.click(),
    p: () => document.getElementById("first")?.click(),
    "/": () => document.getElementById("q")?.focus(),
    "?": () => document.getElementById("keys")?.showModal(),
  };
  if (event.key in acts) { event.preventDefault(); acts[event.key](); }
});

// Copy.
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
  });
}

// Learning: the page is loaded anew as soon as there is more to show.
const learning = document.body.dataset.learning;
if (learning) {
  const ask = async () => {
    try {
      const answer = await fetch(learning, { credentials: "same-origin" });
      if (answer.ok && (await answer.json()).state !== "under_way") { location.reload(); return; }
    } catch { /* the service is away for a moment: ask again */ }
    setTimeout(ask, 1000);
  };
  setTimeout(ask, 500);
}
