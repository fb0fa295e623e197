/** Questions: whom to write to, what group, who else. */

import { by } from "./looks.js";

const NAME = /^[A-Za-z0-9._~@+=/-]{1,64}$/;

/**
 * Ask for people, and for a group's name if `named`.
 * @returns {Promise<{people: string[], name: string} | undefined>} undefined if it was cancelled
 */
export function askForPeople({ title, label, most = 500, named = false }) {
  const dialog = by("dialog");
  by("dialog-title").textContent = title;
  by("dialog-people-label").textContent = label;
  by("dialog-name-row").hidden = !named;
  for (const id of ["dialog-name", "dialog-people"]) by(id).value = "";
  by("dialog-problem").textContent = "";
  dialog.showModal();
  (named ? by("dialog-name") : by("dialog-people")).focus();
  return new Promise((resolve) => {
    const form = by("dialog-form");
    let result;
    const submit = (event) => {
      event.preventDefault();
      const people = by("dialog-people").value.split(/[\s,]+/).filter(Boolean);
      const problem = wrong(people, most) ?? (named && !by("dialog-name").value.trim() && "Give the group a name.");
      by("dialog-problem").textContent = problem || "";
      if (problem) return;
      result = { people, name: by("dialog-name").value.trim() };
      dialog.close();
    };
    const cancel = () => dialog.close();
    const closed = () => {
      form.removeEventListener("submit", submit);
      by("dialog-cancel").removeEventListener("click", cancel);
      resolve(result);
    };
    form.addEventListener("submit", submit);
    by("dialog-cancel").addEventListener("click", cancel);
    dialog.addEventListener("close", closed, { once: true });
  });
}

function wrong(people, most) {
  if (!people.length) return "Write at least one name.";
  if (people.length > most) return most === 1 ? "Only one name." : `At most ${most} names.`;
  const odd = people.find((name) => !NAME.test(name));
  return odd && `“${odd}” cannot be a name: letters, digits and . _ ~ @ + = / - only.`;
}

/** Show a picture large. */
export function look(url, name) {
  by("viewer-image").src = url;
  by("viewer-image").alt = name;
  by("viewer-link").href = url;
  by("viewer-close").onclick = () => by("viewer").close();
  by("viewer").showModal();
}
