/** The way of one message: what the node did, and how each device stands to it. */

const MEANING = {
  received: "came in from the sender",
  accepted: "checked, and given its place",
  written: "written to the log",
  synced: "on stable storage",
  queued: "answered, and handed to every connected device",
};
const CLOCK = new Intl.DateTimeFormat(undefined, {
  ...{ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false },
});

/** Elements that show an answer of `/api/v1/server/trace`. */
export function traced(answer) {
  const from = `${answer.type} ${answer.n} of ${answer.conv}, from ${answer.from}`;
  const parts = [text("p", from + (answer.device ? ` with ${answer.device}` : ""))];
  if (answer.remembered) parts.push(steps(answer));
  else parts.push(text("p", "The times of its steps are forgotten: they are kept for the newest messages.", "hint"));
  if (answer.recipients.length) parts.push(recipients(answer));
  else parts.push(text("p", "Nobody else is told of: a channel, or a chat with oneself.", "hint"));
  return parts;
}

function steps({ steps: all }) {
  const list = document.createElement("ol");
  list.className = "steps";
  const first = all[0].at;
  for (const { step, at } of all) {
    const item = text("li", "");
    const after = at === first ? "" : `+${(at - first).toFixed(1)} ms`;
    item.append(text("b", step), ` ${MEANING[step] ?? ""} `, text("time", `${CLOCK.format(at)} ${after}`));
    list.append(item);
  }
  return list;
}

function recipients({ recipients: all, ts }) {
  const list = document.createElement("ul");
  list.className = "recipients";
  for (const one of all) {
    const item = text("li", "");
    const marks = `${told("delivered", one.delivered, one.delivered_at, ts)}, ${told("read", one.read, one.read_at, ts)}`;
    item.append(text("b", one.user), ` ${one.seq ? `(${one.seq} in the timeline) ` : ""}${marks}`);
    const devices = document.createElement("ul");
    for (const device of one.devices) devices.append(text("li", about(device, ts)));
    if (!one.devices.length) devices.append(text("li", "no device so far: it waits in the timeline"));
    item.append(devices);
    list.append(item);
  }
  return list;
}

function told(what, is, at, ts) {
  return is ? `${what}${at ? ` ${CLOCK.format(at)} (+${Math.max(0, at - ts).toFixed(0)} ms)` : ""}` : `not ${what}`;
}

function about({ device, connected, cursor, acked, acked_at }, ts) {
  const line = connected ? "connected" : "not connected";
  const ack = acked === null ? `acknowledged up to ${cursor}` : told("acked", acked, acked_at, ts);
  return `${device}: ${line}, ${ack}`;
}

/** An element with text. */
export function text(tag, content, className = "") {
  const made = document.createElement(tag);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}
