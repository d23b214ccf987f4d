// Watch it learn: the network of learn.js, in training before the reader's eyes. One step a frame.
{
  const { learn, digits } = (globalThis.mnistLive ??= {});
  const RATES = [0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 1, 3, 10, 30, 100];
  const FIRST = { rate: 0.3, batch: 50, hidden: 16 };
  const SEED = 1;
  const TESTED = 10; // steps between two looks at the test digits
  const RARELY = 25; // steps between two pictures where the reader wants little motion
  const [GAP, COLUMNS] = [2, 8];

  const options = (values, chosen) =>
    values
      .map((value) => `<option${value === chosen ? " selected" : ""}>${value}</option>`)
      .join("");

  const PAGE = `
    <div class="live-controls">
      <button type="button" class="live-play">Play</button>
      <button type="button" class="live-step">Step</button>
      <button type="button" class="live-reset">Reset</button>
      <label>Batch <select class="live-batch">${options([1, 10, 50, 200, 1000], FIRST.batch)}</select></label>
      <label>Hidden units <select class="live-hidden">${options([4, 8, 16, 32], FIRST.hidden)}</select></label>
      <label class="live-rate">Learning rate
        <input type="range" min="0" max="${RATES.length - 1}" value="${RATES.indexOf(FIRST.rate)}"><output></output></label>
    </div>
    <p class="live-numbers"></p>
    <p class="mnist-pad-sentence" role="status" aria-live="polite"></p>
    <div class="live-figures">
      <figure><canvas class="live-loss" role="img"></canvas>
        <figcaption>Loss of each batch. At the start, guessing costs about 2.3.</figcaption></figure>
      <figure><canvas class="live-units" role="img"></canvas>
        <figcaption>The weights of each hidden unit, as an image: orange above 0, blue below.</figcaption></figure>
    </div>
    <p class="live-source">It learns from ${digits.learn.labels.length.toLocaleString("en")} digits and is tested
      on ${digits.check.labels.length} others: ${digits.source}.</p>`;

  // What goes wrong, in words; an empty text while all goes well.
  const trouble = ({ loss, silent, hidden }) => {
    if (Number.isNaN(loss)) {
      return (
        "The loss is NaN, not a number: the weights grew until no number holds them, and nothing " +
        "brings them back. Choose a smaller rate, and press Reset."
      );
    }
    if (silent === hidden) {
      return (
        "All hidden units are silent: a step too long threw them where no digit makes them answer, " +
        "so no blame reaches their weights any more. Choose a smaller rate, and press Reset."
      );
    }
    if (loss === Infinity) {
      return (
        "The loss is infinite: the network gave a digit the probability 0, and was wrong. " +
        "Its steps are too long."
      );
    }
    return "";
  };

  const mount = (element) => {
    const root = document.createElement("div");
    root.className = "mnist-pad live-learn";
    root.innerHTML = PAGE;
    element.replaceChildren(root);
    const find = (name) => root.querySelector(name);
    const [play, slider, batch, units] = [".live-play", "input", ".live-batch", ".live-hidden"].map(
      find,
    );
    const [status, numbers] = [".mnist-pad-sentence", ".live-numbers"].map(find);
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const [train, test] = [digits.learn, digits.check].map(learn.unpack);
    const rate = () => RATES[Number(slider.value)];
    let state, random, order;
    let [playing, inView] = [false, true];

    function reset() {
      random = learn.chance(SEED);
      order = [];
      const hidden = Number(units.value);
      state = { hidden, weights: learn.firstWeights(hidden, random), losses: [], silent: 0 };
      look();
      say(`A new network: ${hidden} hidden units, weights at random. Press Play, or Step.`);
      draw();
    }

    function step() {
      const size = Number(batch.value);
      if (order.length < size) order = learn.shuffled(train.labels.length, random);
      const [x, labels] = learn.batchOf(train, order.splice(0, size));
      state.loss = learn.step(state.weights, x, labels, rate());
      state.losses.push(state.loss);
      if (state.losses.length % TESTED === 0) look();
      const told = trouble(state);
      if (told) say(told);
      if (Number.isNaN(state.loss)) pause();
    }

    // How well it reads the test digits, and how many hidden units answer to none of them.
    function look() {
      state.accuracy = learn.accuracy(state.weights, test.x, test.labels);
      const a1 = learn.forward(state.weights, test.x)[1];
      const answers = new Set();
      a1.forEach((value, place) => value > 0 && answers.add(place % state.hidden));
      state.silent = state.hidden - answers.size;
    }

    const reads = () => `${(100 * state.accuracy).toFixed(0)} %`;

    const say = (text) => {
      if (status.textContent !== text) status.textContent = text;
    };

    function draw() {
      const [steps, loss] = [state.losses.length, state.loss?.toFixed(2) ?? "none yet"];
      numbers.textContent = `Step ${steps} · loss ${loss} · reads ${reads()} of the test digits · silent units: ${state.silent}`;
      drawLoss(find(".live-loss"), state.losses, root);
      drawUnits(find(".live-units"), state, root);
    }

    function frame() {
      if (!playing) return;
      if (inView && !document.hidden) {
        step();
        if (!calm.matches || state.losses.length % RARELY === 0 || !playing) draw();
      }
      requestAnimationFrame(frame);
    }

    function pause() {
      playing = false;
      play.textContent = "Play";
      draw();
    }

    play.addEventListener("click", () => {
      if (playing) {
        pause();
        say(
          trouble(state) ||
            `Paused after ${state.losses.length} steps, at ${reads()} of the test digits.`,
        );
        return;
      }
      playing = true;
      play.textContent = "Pause";
      say(trouble(state) || "It learns.");
      requestAnimationFrame(frame);
    });
    find(".live-step").addEventListener("click", () => {
      if (playing) pause();
      step();
      look();
      draw();
      say(trouble(state) || `Step ${state.losses.length}: the loss was ${state.loss.toFixed(2)}.`);
    });
    find(".live-reset").addEventListener("click", () => {
      if (playing) pause();
      reset();
    });
    units.addEventListener("change", () => {
      if (playing) pause();
      reset();
    });
    const tell = () => (find("output").textContent = rate());
    slider.addEventListener("input", () => {
      tell();
      slider.setAttribute("aria-valuetext", rate());
      if (playing) say(trouble(state) || "It learns.");
    });
    slider.setAttribute("aria-valuetext", rate());
    new IntersectionObserver((seen) => (inView = seen[seen.length - 1].isIntersecting)).observe(
      root,
    );
    new MutationObserver(draw).observe(document.documentElement, {
      attributeFilter: ["data-theme"],
    });
    new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-theme"] });
    tell();
    reset();
  };

  // --- Pictures -------------------------------------------------------------------------------

  const colour = (root, name) => getComputedStyle(root).getPropertyValue(name).trim();

  const drawLoss = (canvas, losses, root) => {
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth || 300, canvas.clientHeight || 225];
    Object.assign(canvas, { width: width * scale, height: height * scale });
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const finite = losses.filter(Number.isFinite);
    const top = Math.min(30, Math.max(3, ...finite.slice(-2000)));
    const [left, bottom] = [34, height - 24];
    const x = (step) => left + ((width - left - 10) * step) / Math.max(losses.length, 50);
    const y = (loss) => bottom - (bottom - 12) * Math.min(1, loss / top);
    pen.fillStyle = pen.strokeStyle = colour(root, "--text");
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "right";
    for (const tick of [0, top / 2, top]) pen.fillText(tick.toFixed(1), left - 5, y(tick) + 4);
    pen.fillText(`step ${Math.max(losses.length, 50)}`, width - 8, height - 7);
    pen.textAlign = "left";
    pen.fillText("0", left, height - 7);
    pen.strokeRect(left, 12, width - left - 10, bottom - 12);
    pen.strokeStyle = colour(root, "--best");
    pen.lineWidth = 1.5;
    pen.beginPath();
    losses.forEach((loss, place) =>
      pen.lineTo(x(place + 1), y(Number.isFinite(loss) ? loss : top)),
    );
    pen.stroke();
    pen.fillStyle = colour(root, "--focus");
    losses.forEach(
      (loss, place) => Number.isFinite(loss) || pen.fillRect(x(place + 1) - 2, 8, 4, 8),
    );
    const [first, last] = [losses[0], losses[losses.length - 1]].map((loss) => loss?.toFixed(2));
    const course = losses.length
      ? `${losses.length} steps, from ${first} to ${last}`
      : "no step yet";
    canvas.setAttribute("aria-label", `Curve of the loss: ${course}`);
  };

  const drawUnits = (canvas, { weights: [W1], hidden }, root) => {
    const columns = Math.min(COLUMNS, hidden);
    const side = 28 + GAP;
    Object.assign(canvas, {
      width: columns * side + GAP,
      height: Math.ceil(hidden / columns) * side + GAP,
    });
    const pen = canvas.getContext("2d");
    const [below, zero, above, ground] = ["--winner", "--paper", "--focus", "--text"].map(
      (name) => {
        pen.fillStyle = colour(root, name);
        return [1, 3, 5].map((at) => parseInt(pen.fillStyle.slice(at, at + 2), 16));
      },
    );
    pen.fillStyle = `rgb(${ground.join()})`;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    for (let unit = 0; unit < hidden; unit += 1) {
      let largest = 1e-9;
      for (let at = unit; at < W1.length; at += hidden)
        largest = Math.max(largest, Math.abs(W1[at]));
      const tile = new ImageData(28, 28);
      for (let pixel = 0; pixel < 784; pixel += 1) {
        const share = W1[pixel * hidden + unit] / largest;
        const end = share > 0 ? above : below;
        for (let k = 0; k < 3; k += 1)
          tile.data[4 * pixel + k] = zero[k] + Math.abs(share) * (end[k] - zero[k]);
        tile.data[4 * pixel + 3] = 255;
      }
      pen.putImageData(
        tile,
        GAP + (unit % columns) * side,
        GAP + Math.floor(unit / columns) * side,
      );
    }
    canvas.setAttribute(
      "aria-label",
      `Weights of ${hidden} hidden units, each an image of 28 by 28`,
    );
  };

  document.querySelectorAll(".watch-it-learn").forEach(mount);
}
