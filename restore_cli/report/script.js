"use strict";
// Search, filter, sort and compare. Without this script, all pictures are shown as they came.
const tools = document.querySelector(".tools");
const containers = [...document.querySelectorAll("[data-sorted]")];
const items = containers.map((container) => [...container.children]);
const all = items.flat();

function wanted(item) {
  const words = tools.elements.words.value.toLowerCase().split(/\s+/);
  const status = tools.elements.status.value;
  const fits = status === "notes" ? "notes" in item.dataset : !status || item.dataset.status === status;
  return fits && words.every((word) => item.dataset.name.includes(word));
}

function filter() {
  let count = 0;
  for (const item of all) {
    item.hidden = !wanted(item);
    count += !item.hidden;
  }
  for (const section of document.querySelectorAll("main > section")) {
    section.hidden = !section.querySelector("[data-place]:not([hidden])");
  }
  tools.querySelector("output").textContent =
    count === all.length ? "" : `${count.toLocaleString("en")} of ${all.length.toLocaleString("en")}`;
}

function sort() {
  const order = tools.elements.order.value;
  const compare = {
    place: (a, b) => a.dataset.place - b.dataset.place,
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true }),
    seconds: (a, b) => b.dataset.seconds - a.dataset.seconds,
    pixels: (a, b) => b.dataset.pixels - a.dataset.pixels,
  }[order];
  containers.forEach((container, index) => container.append(...items[index].sort(compare)));
}

if (all.length > 1) {
  tools.hidden = false;
  tools.addEventListener("input", filter);
  tools.elements.order.addEventListener("change", sort);
  tools.addEventListener("submit", (event) => event.preventDefault());
  if (tools.elements.words.value || tools.elements.status.value) filter(); // kept by the browser
  if (tools.elements.order.value !== "place") sort();
}

// Over a result, the pointer is an edge: on its left the picture is as it was before.
for (const pair of document.querySelectorAll(".pair")) {
  const [before, after] = pair.querySelectorAll("img");
  if (!after) continue;
  const frame = after.parentElement;
  frame.addEventListener("pointermove", (event) => {
    const box = frame.getBoundingClientRect();
    frame.style.setProperty("--at", `${(100 * (event.clientX - box.left)) / box.width}%`);
    if (!frame.querySelector(".over")) {
      const over = before.cloneNode();
      over.classList.add("over");
      over.alt = "";
      frame.append(over);
    }
  });
  frame.addEventListener("pointerleave", () => frame.querySelector(".over")?.remove());
}
