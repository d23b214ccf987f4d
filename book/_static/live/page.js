// The drawing pad on a page without Python. The pad (pad.js, the same as in notebooks) asks a model;
// here the model answers itself, with three networks, in the words of mnist_edu/pads/answer.py.
{
  const live = (globalThis.mnistLive ??= {});
  const FARTHEST = 4; // pixels, as on the shift ruler
  const WAYS = {
    "right and down": [1, 1],
    "right and up": [1, -1],
    "left and down": [-1, 1],
    "left and up": [-1, -1],
  };
  const LOADING = "The networks are still loading. Draw on: they will read it.";

  // Write a probability; nothing but 1 is called 100 %.
  const percent = (value, over = ">") =>
    value >= 0.995 && value < 1 ? `${over} 99 %` : `${Math.round(100 * value)} %`;

  // What one network reads: as answer.py has it, with a question mark where it is in doubt.
  const reading = (probabilities) => {
    const best = probabilities.indexOf(Math.max(...probabilities));
    const order = probabilities
      .map((_, digit) => digit)
      .sort((a, b) => probabilities[b] - probabilities[a]);
    const [first, second] = order.map(
      (digit) => `${digit} (${percent(probabilities[digit], "over")})`,
    );
    const doubt = probabilities[best] < live.about.sure;
    return {
      best,
      digit: doubt ? `${best}?` : `${best}`,
      told: doubt ? `not sure, ${first} or ${second}` : first,
      probabilities,
      percents: probabilities.map((value) => percent(value)),
    };
  };

  const NOTHING = { digit: "", best: null, probabilities: [], percents: [] };

  const compared = (readings) => {
    const agree = readings.every(({ best }) => best === readings[0].best);
    const doubt = readings.some(({ digit }) => digit.endsWith("?"));
    if (agree && !doubt) return `All three networks read ${readings[0].best}.`;
    const each = readings
      .map(({ told }, place) => `${live.networks[place].name}: ${told}`)
      .join("; ");
    return `${agree ? `All three read ${readings[0].best}, but not surely` : "They disagree"}. ${each}.`;
  };

  // The answer to a drawing: image, sentence, and what each network reads.
  const answerTo = ({ strokes, pen }, right = 0, down = 0) => {
    const empty = { image: [], readings: live.about.networks.map(() => NOTHING) };
    if (!strokes.length) return { ...empty, sentence: live.about.invitation };
    let image;
    try {
      image = live.shift(live.toMnist(strokes, live.about.side, pen), right, down);
    } catch (error) {
      return { ...empty, sentence: `Nothing to read: ${error.message}.` };
    }
    if (!live.networks) return { ...empty, image, sentence: LOADING };
    const readings = live.networks.map((network) =>
      reading(live.softmax(live.logits(network, image))),
    );
    return { image, readings, sentence: compared(readings) };
  };

  // What anywidget's model is to the pad in a notebook.
  const model = (where) => {
    const { side, pens, pen, networks, examples } = live.about;
    const values = {
      measures: {
        side,
        pens,
        networks: networks.map(({ name, ...about }) => ({ name, note: note(about) })),
      },
      drawing: { id: "", strokes: [], pen, example: null },
    };
    const listeners = {};
    const send = (name, value) => {
      values[name] = value;
      for (const listener of listeners[`change:${name}`] ?? []) listener();
    };
    const answer = () =>
      send("answer", { id: values.drawing.id, ...answerTo(values.drawing, ...where()) });
    values.answer = { id: "", ...answerTo(values.drawing) };

    return {
      answer,
      get: (name) => values[name],
      set: (name, value) => (values[name] = value),
      on: (event, listener) => (listeners[event] ??= []).push(listener),
      off: (event, listener) =>
        (listeners[event] = listeners[event].filter((one) => one !== listener)),
      save_changes: () => setTimeout(reply), // after the line that was drawn is shown
    };

    function reply() {
      const asked = values.drawing;
      if (!asked.example) return answer();
      const hands = examples[asked.example[0]];
      values.drawing = { ...asked, strokes: hands[asked.example[1] % hands.length], example: null };
      answer();
      send("drawing", values.drawing);
    }
  };

  const note = ({ notebook, numbers, accuracy }) =>
    `notebook ${notebook}, ${numbers.toLocaleString("en")} numbers, reads ${(100 * accuracy).toFixed(1)} %`;

  const CONTROLS = `
    <label>Move the digit
      <input type="range" min="0" max="${FARTHEST}" value="0" class="live-far"></label>
    <output class="live-told"></output>
    <label class="live-ways">Direction <select>${Object.keys(WAYS)
      .map((way) => `<option>${way}</option>`)
      .join("")}</select></label>`;

  const SOURCE =
    "All three learned from MNIST’s training digits. Below each name: where it is made, how many numbers it " +
    "learned, and how many of MNIST’s 10,000 test digits it reads rightly. What you draw stays on this page.";

  const mount = (element) => {
    const controls = document.createElement("div");
    controls.className = "live-move";
    controls.innerHTML = CONTROLS;
    const [far, told, way] = ["input", "output", "select"].map((name) =>
      controls.querySelector(name),
    );
    const where = () => WAYS[way.value].map((sign) => sign * Number(far.value));
    const asked = model(where);
    element.replaceChildren();
    live.pad.render({ model: asked, el: element });
    element.querySelector(".mnist-pad-right").prepend(controls);
    const source = document.createElement("p");
    source.className = "live-source";
    source.textContent = SOURCE;
    element.querySelector(".mnist-pad").append(source);
    const moved = () => {
      told.textContent = `by ${far.value} ${far.value === "1" ? "pixel" : "pixels"}`;
      far.setAttribute("aria-valuetext", `${told.textContent}, ${way.value}`);
      asked.answer();
    };
    far.addEventListener("input", moved);
    way.addEventListener("change", moved);
    moved();
    return asked;
  };

  const pads = [...document.querySelectorAll(".live-pad")].map(mount);
  live.arrived = () => pads.forEach((pad) => pad.answer());
  Object.assign(live, { answerTo, reading });
}
