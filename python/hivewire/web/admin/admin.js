/** The admin page: figures every two seconds, who is connected, and the way of a message. */

import { Chart } from "./chart.js";
import { FIGURES, Reading } from "./figures.js";
import { text, traced } from "./trace.js";

const READ_MS = 2000;
const PEOPLE_MS = 5000;
const SEARCH_MS = 250;
const KEY = "hivewire api key";

const by = (id) => document.getElementById(id);

class Refused extends Error {}

/** Call the node with the key. Throws Refused with what it said. */
async function call(path, body) {
  const headers = { "X-API-Key": sessionStorage.getItem(KEY) ?? "" };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(`/api/v1/server/${path}`, {
    method: body ? "POST" : "GET",
    headers,
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (response.ok) return answer;
  if (response.status === 401) lock("This key was refused.");
  throw new Refused(answer.error.message);
}

// -- figures ----------------------------------------------------------------------------------------

/** Answers that were held up come together, and a rate over a moment (ms) says nothing. */
const SHORTEST = 500;
const charts = FIGURES.map((figure) => new Chart(figure));
let before;
let shown = false;

async function readFigures() {
  try {
    const response = await fetch("/metrics");
    const now = new Reading(await response.text(), performance.now());
    if (before && now.at - before.at < SHORTEST) return;
    if (before) FIGURES.forEach((figure, place) => charts[place].add(figure.read(now, before)));
    before = now;
    say("");
  } catch {
    before = undefined;
    for (const chart of charts) chart.add(null);
    say("The node does not answer. Trying again…");
  }
}

function say(problem) {
  if (by("state").textContent !== problem) by("state").textContent = problem;
}

// -- users ------------------------------------------------------------------------------------------

async function readPeople() {
  const search = by("search-text").value.trim();
  const found = await call(`connections?limit=50&search=${encodeURIComponent(search)}`);
  if (search !== by("search-text").value.trim()) return;
  const users = `${found.users} ${found.users === 1 ? "user" : "users"}`;
  by("found").textContent = found.whole_ids_only
    ? `${found.connections} connections: so many that only a whole id is looked for.`
    : `${users}${search ? " found" : ""}, ${found.connections} ${found.connections === 1 ? "connection" : "connections"}`;
  // What has the focus stays where it is.
  if (by("users").contains(document.activeElement)) return;
  by("users").replaceChildren(...found.items.map(row));
}

function row({ user, devices, connections }) {
  const made = document.createElement("tr");
  const name = text("th", user);
  name.scope = "row";
  const button = text("button", "Disconnect");
  button.type = "button";
  button.setAttribute("aria-label", `Disconnect ${user}`);
  button.addEventListener("click", () => disconnect(user, button));
  const act = text("td", "");
  act.append(button);
  const lines = text("td", devices.join(", "));
  lines.title = connections.map((line) => `${line.device}: connection ${line.connection}`).join("\n");
  made.append(name, lines, act);
  return made;
}

async function disconnect(user, button) {
  button.disabled = true;
  const { disconnected } = await call("disconnect", { user });
  button.textContent = `${disconnected} closed`;
  setTimeout(readPeopleQuietly, 500);
}

const readPeopleQuietly = () => readPeople().catch(() => {});

// -- one message ------------------------------------------------------------------------------------

async function trace(event) {
  event.preventDefault();
  const conv = encodeURIComponent(by("trace-conv").value.trim());
  try {
    const answer = await call(`trace?conv=${conv}&n=${Number(by("trace-n").value)}`);
    by("traced").replaceChildren(...traced(answer));
  } catch (error) {
    by("traced").replaceChildren(text("p", error.message, "problem"));
  }
}

// -- the key ----------------------------------------------------------------------------------------

function lock(problem) {
  sessionStorage.removeItem(KEY);
  by("open").hidden = true;
  by("locked").hidden = false;
  by("unlock-problem").textContent = problem;
  by("key").value = "";
  by("key").focus();
}

async function unlock() {
  const info = await call("info");
  by("locked").hidden = true;
  by("open").hidden = false;
  by("node").textContent = info.node;
  by("about").textContent = `version ${info.version} · edge ${info.edge} · data ${info.epoch}`;
  readPeopleQuietly();
  if (shown) return;
  shown = true;
  by("charts").append(...charts.map((chart) => chart.root));
  readFigures();
  setInterval(readFigures, READ_MS);
  setInterval(() => !by("open").hidden && readPeopleQuietly(), PEOPLE_MS);
}

let typing;
by("search-text").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(readPeopleQuietly, SEARCH_MS);
});
by("search").addEventListener("submit", (event) => event.preventDefault());
by("trace").addEventListener("submit", trace);
by("lock").addEventListener("click", () => lock(""));
by("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, by("key").value);
  unlock().catch((error) => error instanceof Refused || lock("The node does not answer."));
});
if (sessionStorage.getItem(KEY)) unlock().catch(() => {});
else by("key").focus();
