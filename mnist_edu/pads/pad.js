// The page of the drawing pad. It draws strokes as SVG, which is sharp on any display and at any
// zoom, hands them to a model, and shows the answers. In a notebook the model passes them on to
// Python (see pad.py); in the book, which has no Python, it answers itself (book/_static/live/
// page.js). What stands in the answers, down to the percent sign, is made there, and so are the
// measures: side is that of the pad in its own coordinates, whatever its size on the screen;
// networks are the names and notes of those that read side by side, where there are several.

const LATE = 2000; // milliseconds without an answer until the pad says so
const LOST = 5000; // ... until an answer is no longer waited for
const WAITING =
  "Waiting for Python. It may be busy with another cell. After a restart, run this cell again.";
const KEYS =
  "Drawing area. A digit key draws an example, Backspace takes the last step back, Delete clears.";

const reading = ({ name, note }) => `
  <div class="mnist-pad-reading">
    ${name ? `<p class="mnist-pad-name">${name}<small>${note}</small></p>` : ""}
    <div class="mnist-pad-digit" aria-hidden="true"></div>
    <ol aria-label="${name ? `${name}: probabilities` : "Probabilities"}"></ol>
  </div>`;

const page = (side, [thinnest, thickest], networks) => `
  <div class="mnist-pad-left">
    <div class="mnist-pad-area" tabindex="0" role="application" aria-label="${KEYS}">
      <svg viewBox="0 0 ${side} ${side}" aria-hidden="true"></svg>
      <div class="mnist-pad-hint" aria-hidden="true">Draw a digit here</div>
    </div>
    <div class="mnist-pad-row">
      <button type="button" class="mnist-pad-undo" title="Backspace">Undo</button>
      <button type="button" class="mnist-pad-clear" title="Delete">Clear</button>
      <label>Pen <input type="range" class="mnist-pad-pen" min="${thinnest}" max="${thickest}"
        step="2" aria-label="Pen width"></label>
    </div>
    <div class="mnist-pad-row mnist-pad-examples" role="group" aria-label="Examples">
      <span>Examples</span>
    </div>
  </div>
  <div class="mnist-pad-right">
    <figure>
      <canvas width="28" height="28" role="img" aria-label="The drawing in 28 by 28 pixels"></canvas>
      <figcaption>what ${networks.length > 1 ? "they see" : "it sees"}: 28 × 28</figcaption>
    </figure>
    <p class="mnist-pad-sentence" role="status" aria-live="polite"></p>
    ${networks.map(reading).join("")}
  </div>`;

function render({ model, el }) {
  const root = document.createElement("div");
  const { side, pens, networks = [{}] } = model.get("measures");
  root.className = networks.length > 1 ? "mnist-pad mnist-pad-several" : "mnist-pad";
  root.innerHTML = page(side, pens, networks);
  el.appendChild(root);
  const find = (name) => root.querySelector(`.mnist-pad-${name}`);
  const [area, slider, status] = ["area", "pen", "sentence"].map(find);

  const me = Math.random().toString(36).slice(2); // several views of one pad are told apart by it
  const hands = Array(10).fill(-1); // the last example of each digit
  let strokes = model.get("drawing").strokes; // never changed in place, except the stroke under way
  let past = []; // the strokes before each step, for undo
  let pointer = null; // the one that draws
  let count = 0;

  // --- To the model: the latest state, once the last answer has come ---------------------------

  let sent = null; // the drawing that waits for its answer
  let sentAt = 0;
  let example = null; // [digit, hand], asked for
  let asked = ""; // id of the drawing that asked for it
  let unsent = false;
  let timer = 0;

  function send() {
    unsent = sent !== null && performance.now() - sentAt < LOST;
    if (unsent) return;
    const id = `${me}-${(count += 1)}`;
    if (example) asked = id;
    sent = { id, strokes: structuredClone(strokes), pen: Number(slider.value), example };
    example = null;
    sentAt = performance.now();
    clearTimeout(timer);
    timer = setTimeout(() => (status.textContent = WAITING), LATE);
    model.set("drawing", sent);
    model.save_changes();
  }

  function step(next, digit = null) {
    past.push(strokes);
    showStrokes(next, digit);
  }

  function showStrokes(next, digit = null) {
    lift();
    strokes = next;
    example = digit;
    asked = "";
    draw(area, strokes, slider.value);
    send();
  }

  // --- From the model ------------------------------------------------------------------------

  function onAnswer() {
    const answer = model.get("answer");
    if (sent && answer.id === sent.id) {
      sent = null;
      clearTimeout(timer);
    }
    showAnswer(root, answer);
    queueMicrotask(() => unsent && send()); // after onDrawing, which may come second
  }

  function onDrawing() {
    const drawing = model.get("drawing");
    if (drawing === sent) return;
    const mine = drawing.id.startsWith(me);
    if (mine && drawing.id !== asked) return; // an example that is no longer wanted
    if (!mine) past.push(strokes);
    const since = mine ? strokes : strokes.slice(pointer === null ? strokes.length : -1);
    asked = "";
    strokes = [...drawing.strokes, ...since];
    slider.value = drawing.pen;
    draw(area, strokes, slider.value);
    if (since.length) send();
  }

  // --- Pointer: mouse, touch or pen ----------------------------------------------------------

  const place = (share) => Math.round(10 * side * Math.min(1, Math.max(0, share))) / 10;

  function add(event) {
    const box = area.querySelector("svg").getBoundingClientRect();
    const stroke = strokes[strokes.length - 1];
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const { clientX, clientY } of moves.length ? moves : [event]) {
      const [x, y] = [(clientX - box.left) / box.width, (clientY - box.top) / box.height].map(place);
      const [lastX, lastY] = stroke[stroke.length - 1] ?? [-9, -9];
      if (Math.hypot(x - lastX, y - lastY) >= 1) stroke.push([x, y]);
    }
    draw(area, strokes, slider.value);
    send();
  }

  area.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    event.preventDefault();
    area.focus({ preventScroll: true });
    area.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    status.setAttribute("aria-busy", "true"); // read aloud when the pen is up
    past.push(strokes);
    strokes = [...strokes, []];
    add(event);
  });
  area.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) add(event);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    area.addEventListener(end, (event) => {
      if (event.pointerId === pointer) lift();
    });
  }

  function lift() {
    pointer = null;
    status.removeAttribute("aria-busy");
  }

  // --- Buttons and keys ----------------------------------------------------------------------

  const undo = () => showStrokes(past.pop() ?? strokes.slice(0, -1));
  const clear = () => (strokes.length || example || asked) && step([]);
  const load = (digit) => step([], [digit, (hands[digit] += 1)]);

  slider.addEventListener("input", () => {
    draw(area, strokes, slider.value);
    send();
  });
  find("undo").addEventListener("click", undo);
  find("clear").addEventListener("click", clear);
  for (let digit = 0; digit < 10; digit += 1) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = digit;
    button.setAttribute("aria-label", `Draw an example of ${digit}; again for another hand`);
    button.addEventListener("click", () => load(digit));
    find("examples").appendChild(button);
    for (const bars of root.querySelectorAll("ol")) {
      const row = document.createElement("li");
      row.innerHTML =
        `<span>${digit}</span><span class="mnist-pad-track" aria-hidden="true"><span></span></span>` +
        "<span></span>";
      bars.appendChild(row);
    }
  }
  root.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey } = event;
    const command = ctrlKey || metaKey || altKey;
    if (!command && key >= "0" && key <= "9" && key.length === 1) load(Number(key));
    else if ((!command && key === "Backspace") || ((ctrlKey || metaKey) && key === "z")) undo();
    else if (!command && key === "Delete") clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  for (const control of root.querySelectorAll("button, input, [tabindex]")) {
    control.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab leaves its keys alone
  }

  slider.value = model.get("drawing").pen;
  draw(area, strokes, slider.value);
  showAnswer(root, model.get("answer"));
  model.on("change:answer", onAnswer);
  model.on("change:drawing", onDrawing);
  return () => {
    clearTimeout(timer);
    model.off("change:answer", onAnswer);
    model.off("change:drawing", onDrawing);
  };
}

function draw(area, strokes, pen) {
  const svg = area.querySelector("svg");
  const lines = strokes.map((stroke) => {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    line.setAttribute("points", [...stroke, stroke[stroke.length - 1]].join(" ")); // a dot shows too
    return line;
  });
  svg.setAttribute("stroke-width", pen);
  svg.replaceChildren(...lines);
  area.querySelector(".mnist-pad-hint").hidden = strokes.length > 0;
}

function showAnswer(root, { sentence, image, readings, ...only }) {
  root.querySelector(".mnist-pad-sentence").textContent = sentence;
  root.querySelectorAll(".mnist-pad-reading").forEach((box, place) => {
    showReading(box, (readings ?? [only])[place]);
  });
  const pixels = new ImageData(28, 28);
  for (let place = 0; place < 28 * 28; place += 1) {
    pixels.data.fill(image[place] ?? 0, 4 * place, 4 * place + 3);
    pixels.data[4 * place + 3] = 255;
  }
  root.querySelector("canvas").getContext("2d").putImageData(pixels, 0, 0);
}

function showReading(box, { digit, best, probabilities, percents }) {
  box.querySelector(".mnist-pad-digit").textContent = digit;
  box.querySelectorAll("li").forEach((row, place) => {
    row.classList.toggle("best", place === best);
    row.querySelector(".mnist-pad-track > span").style.width = `${100 * (probabilities[place] ?? 0)}%`;
    row.lastElementChild.textContent = percents[place] ?? "";
  });
}

export default { render };
