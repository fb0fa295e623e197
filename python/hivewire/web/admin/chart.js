/** A small chart of the last minutes: a line, its newest value, its highest. SVG, drawn anew each time. */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 260;
const HEIGHT = 72;
const POINTS = 90;
const AT_FIRST = 15;

export class Chart {
  constructor({ name, unit, none = "nothing so far" }) {
    this.unit = unit;
    this.none = none;
    this.values = [];
    this.root = document.createElement("figure");
    this.root.className = "panel chart";
    this.caption = document.createElement("figcaption");
    this.caption.textContent = name;
    this.newest = document.createElement("output");
    this.highest = document.createElement("span");
    this.highest.className = "hint";
    this.svg = made("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.area = this.svg.appendChild(made("path", { class: "area" }));
    this.line = this.svg.appendChild(made("path", { class: "line" }));
    this.root.append(this.caption, this.newest, this.highest, this.svg);
    this.name = name;
  }

  /** Add a value; null is a gap. */
  add(value) {
    this.values.push(value);
    if (this.values.length > POINTS) this.values.shift();
    const known = this.values.filter((one) => one !== null);
    const most = Math.max(...known, 0);
    this.newest.textContent = value === null ? "–" : short(value, this.unit);
    this.highest.textContent = known.length ? `highest ${short(most, this.unit)}` : this.none;
    this.svg.setAttribute("aria-label", `${this.name}: ${this.newest.textContent}, ${this.highest.textContent}`);
    const { line, area } = paths(this.values, most || 1);
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", area);
  }
}

function paths(values, most) {
  // A page that was just opened shows half a minute, until there is more.
  const span = Math.max(AT_FIRST, values.length);
  const x = (place) => (WIDTH * (place + span - values.length)) / (span - 1);
  const y = (value) => HEIGHT - 3 - (value / (most * 1.15)) * (HEIGHT - 6);
  let [line, area, start] = ["", "", null];
  values.forEach((value, place) => {
    if (value !== null) {
      line += `${start === null ? "M" : "L"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`;
      start ??= place;
    }
    if (start !== null && (value === null || place === values.length - 1)) {
      const last = value === null ? place - 1 : place;
      const top = values.slice(start, last + 1).map((one, step) => `L${x(start + step).toFixed(1)} ${y(one).toFixed(1)}`);
      area += `M${x(start).toFixed(1)} ${HEIGHT}${top.join("")}L${x(last).toFixed(1)} ${HEIGHT}Z`;
      start = null;
    }
  });
  return { line, area };
}

/** A number in few digits, with its unit; bytes in powers of 1024. */
export function short(value, unit = "") {
  const [step, signs] = unit === "B" ? [1024, ["", "Ki", "Mi", "Gi"]] : [1000, ["", "k", "M", "G"]];
  let power = 0;
  while (value >= step * (unit === "B" ? 1 : 10) && power < signs.length - 1) {
    value /= step;
    power += 1;
  }
  const whole = value >= 100 || Number.isInteger(value);
  const digits = value.toFixed(whole ? 0 : value >= 1 ? 1 : 2);
  return `${digits} ${signs[power]}${unit}`.trim();
}

function made(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
