/** Small things that several parts draw: elements, avatars, times, sizes. */

/** An element: `el("p", { className: "hint" }, "text", child)`. Text is always text, never HTML. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== ""));
  return made;
}

/** An element of the page, by its id. */
export function by(id) {
  return document.getElementById(id);
}

/** A circle with somebody's initial; always the same colour for the same name. */
export function avatar(name, state) {
  const made = el("span", { className: "avatar", "aria-hidden": "true" }, [...name][0]?.toUpperCase() ?? "?");
  let hue = 7;
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  made.style.setProperty("--hue", String(hue));
  if (state) made.append(el("span", { className: `dot ${state}` }));
  return made;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });

/** `14:05`. */
export function clock(ts) {
  return CLOCK.format(ts);
}

/** `Today`, or the day. */
export function day(ts) {
  return new Date(ts).toDateString() === new Date().toDateString() ? "Today" : DAY.format(ts);
}

/** A time for a list: the clock today, else the day. */
export function when(ts) {
  return day(ts) === "Today" ? clock(ts) : day(ts);
}

/** `12 KB`. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KB", "MB", "GB"];
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  return `${(bytes / 1024 ** power).toFixed(power > 1 ? 1 : 0)} ${units[power - 1]}`;
}

/** Text with its links made links. */
export function linked(text) {
  const parts = text.split(/(https?:\/\/[^\s<>"]+)/);
  return parts.map((part, index) =>
    index % 2 ? el("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part) : part,
  );
}
