/** The way of one message: what the node did, and how each device stands to it. */

const MEANING = {
  received: "came in from the sender",
  accepted: "checked, and given its place",
  written: "written to the log",
  synced: "on stable storage",
  queued: "answered, given to every device",
};
const REACHED = {
  written: ["written", "to the socket"],
  page: ["written", "with a page, at the latest: it came or caught up after the message"],
  waiting: ["waiting", "in the outbox: it reads slowly; nothing was taken since"],
  handed: ["handed", "the engine has it, and has not flushed it"],
  lost: ["lost", "the line ended first"],
  catching_up: ["catching up", "connected, and reading pages"],
  begins_later: ["begins later", "a new device: it begins behind the message"],
  not_connected: ["no line", "since the message"],
};
const ANSWERED = ["answered", "“sent” written to the socket"];
const CLOCK = new Intl.DateTimeFormat(undefined, {
  ...{ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false },
});

/** Elements that show an answer of `/api/v1/server/trace`. */
export function traced(answer) {
  const from = `${answer.type} ${answer.n} of ${answer.conv}, from ${answer.from}`;
  // All times are told beside the one at which it got its place.
  const start = answer.steps.find(({ step }) => step === "accepted")?.at ?? answer.ts;
  const parts = [text("p", from + (answer.device ? ` with ${answer.device}` : ""))];
  if (answer.remembered) parts.push(steps(answer, start));
  else parts.push(text("p", "The times of its steps are forgotten: they are kept for the newest messages.", "hint"));
  if (answer.recipients.length || answer.own_devices.length) parts.push(people(answer, start));
  if (!answer.recipients.length) {
    parts.push(text("p", "Nobody else is told of: a channel, or a chat with oneself.", "hint"));
  }
  return parts;
}

function steps({ steps: all }, start) {
  const list = document.createElement("ol");
  list.className = "steps";
  for (const { step, at } of all) {
    const item = text("li", "");
    item.append(text("b", step), ` ${MEANING[step] ?? ""} `, text("time", `${CLOCK.format(at)} ${after(at - start)}`));
    list.append(item);
  }
  return list;
}

function people({ recipients: all, own_devices: own, from, device: origin }, ts) {
  const list = document.createElement("ul");
  list.className = "recipients";
  if (own.length) {
    const item = text("li", "");
    item.append(text("b", from), " sent it", devices(own, ts, origin));
    list.append(item);
  }
  for (const one of all) {
    const item = text("li", "");
    const marks = `${told("delivered", one.delivered, one.delivered_at, ts)}, ${told("read", one.read, one.read_at, ts)}`;
    item.append(text("b", one.user), ` ${one.seq ? `(${one.seq} in the timeline) ` : ""}${marks}`);
    item.append(devices(one.devices, ts, null, one.pushes));
    list.append(item);
  }
  return list;
}

/** A list with every device: how far it was reached, and what it was pushed. */
function devices(all, ts, origin, pushes = []) {
  const list = document.createElement("ul");
  const known = new Set(all.map(({ device }) => device));
  const others = pushes.filter(({ device }) => !known.has(device));
  if (others.length) {
    const item = text("li", "every device that is registered for pushes");
    item.append(ordered(pushed(others, ts)));
    list.append(item);
  }
  for (const device of all) {
    const item = text("li", "");
    item.append(text("b", device.device), ` ${device.connected ? "connected" : "not connected"}`);
    item.append(ordered([...way(device, ts, device.device === origin), ...pushed(pushes, ts, device.device)]));
    list.append(item);
  }
  if (!all.length) list.append(text("li", "no device so far: it waits in the timeline"));
  return list;
}

function way({ reached, cursor, acked, acked_at }, ts, isOrigin) {
  const found = [];
  if (reached) {
    const [step, meaning] = isOrigin && reached.state === "written" ? ANSWERED : REACHED[reached.state];
    found.push(line(step, meaning, reached.at, ts));
    if (reached.ended_at) found.push(line("line ended", "", reached.ended_at, ts));
  }
  if (acked && acked_at) found.push(line("acked", "", acked_at, ts));
  else if (!isOrigin && reached?.state !== "begins_later") {
    found.push(line(acked ? "acked" : "not acked", `up to ${cursor} of the timeline`, null, ts));
  }
  return found;
}

function pushed(pushes, ts, only) {
  const wanted = only === undefined ? pushes : pushes.filter(({ device }) => device === only);
  return wanted.map(({ step, device, at, detail }) => {
    const whose = only === undefined && device ? `${device}: ` : "";
    return line(`push ${step}`, whose + detail, at, ts);
  });
}

function ordered(lines) {
  const list = document.createElement("ol");
  list.className = "way";
  const late = (at) => (at === null ? Infinity : at);
  list.append(...lines.sort((one, other) => late(one.at) - late(other.at) || 0).map(({ item }) => item));
  return list;
}

function line(step, meaning, at, ts) {
  const item = text("li", "");
  const what = text("span", `${meaning} `);
  if (at !== null) what.append(text("time", `${CLOCK.format(at)} ${after(at - ts)}`));
  item.append(text("b", step), what);
  return { at, item };
}

function after(ms) {
  return Math.abs(ms) < 1000 ? `${ms < 0 ? "" : "+"}${ms.toFixed(1)} ms` : `${ms < 0 ? "" : "+"}${(ms / 1000).toFixed(1)} s`;
}

function told(what, is, at, ts) {
  return is ? `${what}${at ? ` ${CLOCK.format(at)} (${after(at - ts)})` : ""}` : `not ${what}`;
}

/** An element with text. */
export function text(tag, content, className = "") {
  const made = document.createElement(tag);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}
