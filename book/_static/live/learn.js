// A network of two layers that learns: notebook 03, line by line, in JavaScript.
//
// Matrices stand in one long row, as in NumPy: row r, column c of a matrix with k columns is
// values[r * k + c]. In the comments n is the number of images, h that of hidden units.
{
  // --- Matrices -------------------------------------------------------------------------------

  // a @ b: (n, k) @ (k, m)
  const times = (a, b, [n, k, m]) => {
    const product = new Float32Array(n * m);
    for (let row = 0; row < n; row += 1) {
      for (let i = 0; i < k; i += 1) {
        const value = a[row * k + i];
        if (value === 0) continue; // most of an image is black
        for (let c = 0; c < m; c += 1) product[row * m + c] += value * b[i * m + c];
      }
    }
    return product;
  };

  // a.T @ b: (n, k).T @ (n, m)
  const transposedTimes = (a, b, [n, k, m]) => {
    const product = new Float32Array(k * m);
    for (let row = 0; row < n; row += 1) {
      for (let i = 0; i < k; i += 1) {
        const value = a[row * k + i];
        if (value === 0) continue;
        for (let c = 0; c < m; c += 1) product[i * m + c] += value * b[row * m + c];
      }
    }
    return product;
  };

  // a @ b.T: (n, m) @ (k, m).T
  const timesTransposed = (a, b, [n, m, k]) => {
    const product = new Float32Array(n * k);
    for (let row = 0; row < n; row += 1) {
      for (let i = 0; i < k; i += 1) {
        for (let c = 0; c < m; c += 1) product[row * k + i] += a[row * m + c] * b[i * m + c];
      }
    }
    return product;
  };

  const addToRows = (a, row) => a.map((value, place) => value + row[place % row.length]);

  const sumOfRows = (a, m) => {
    const sums = new Float32Array(m);
    a.forEach((value, place) => (sums[place % m] += value));
    return sums;
  };

  const softmax = (z) => {
    const p = new Float32Array(z.length);
    for (let row = 0; row < z.length; row += 10) {
      const scores = z.subarray(row, row + 10);
      const largest = scores.reduce((a, b) => Math.max(a, b));
      const powers = scores.map((score) => Math.exp(score - largest));
      const sum = powers.reduce((a, b) => a + b);
      p.set(
        powers.map((power) => power / sum),
        row,
      );
    }
    return p;
  };

  // --- The network: weights are [W1 (784, h), b1 (h), W2 (h, 10), b2 (10)] --------------------

  const forward = ([W1, b1, W2, b2], x) => {
    const [n, h] = [x.length / 784, b1.length];
    const z1 = addToRows(times(x, W1, [n, 784, h]), b1);
    const a1 = z1.map((z) => Math.max(z, 0));
    return [z1, a1, softmax(addToRows(times(a1, W2, [n, h, 10]), b2))];
  };

  // How the loss changes with each weight. labels: n numbers from 0 to 9.
  const backward = (weights, x, labels) => {
    const [z1, a1, p] = forward(weights, x);
    const [n, h] = [labels.length, weights[1].length];
    const dz2 = p.map(
      (value, place) => (value - (labels[Math.floor(place / 10)] === place % 10)) / n,
    );
    const [dW2, db2] = [transposedTimes(a1, dz2, [n, h, 10]), sumOfRows(dz2, 10)];
    const da1 = timesTransposed(dz2, weights[2], [n, 10, h]);
    const dz1 = da1.map((value, place) => (z1[place] > 0 ? value : 0));
    const [dW1, db1] = [transposedTimes(x, dz1, [n, 784, h]), sumOfRows(dz1, h)];
    return { gradients: [dW1, db1, dW2, db2], loss: lossOf(p, labels) };
  };

  const lossOf = (p, labels) => {
    let sum = 0;
    labels.forEach((label, place) => (sum -= Math.log(p[10 * place + label])));
    return sum / labels.length;
  };

  // One step of gradient descent, in place; returns the loss before it.
  const step = (weights, x, labels, rate) => {
    const { gradients, loss } = backward(weights, x, labels);
    weights.forEach((weight, which) => {
      const gradient = gradients[which];
      for (let at = 0; at < weight.length; at += 1) weight[at] -= rate * gradient[at];
    });
    return loss;
  };

  // The part of the digits that is read rightly.
  const accuracy = (weights, x, labels) => {
    const p = forward(weights, x)[2];
    const right = [...labels].filter((label, place) => {
      const ten = p.subarray(10 * place, 10 * place + 10);
      return ten.indexOf(ten.reduce((a, b) => Math.max(a, b))) === label;
    });
    return right.length / labels.length;
  };

  // --- Chance ---------------------------------------------------------------------------------

  // Numbers from 0 to 1 that look random, always the same for one seed (T. Ettinger, mulberry32).
  const chance = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  // He's first weights: normal, the wider the fewer inputs.
  const he = (inputs, outputs, random) =>
    Float32Array.from({ length: inputs * outputs }, () => {
      const bell = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      return bell * Math.sqrt(2 / inputs);
    });

  const firstWeights = (h, random) => [
    he(784, h, random),
    new Float32Array(h),
    he(h, 10, random),
    new Float32Array(10),
  ];

  const shuffled = (n, random) => {
    const order = Array.from({ length: n }, (_, place) => place);
    for (let last = n - 1; last > 0; last -= 1) {
      const other = Math.floor(random() * (last + 1));
      [order[last], order[other]] = [order[other], order[last]];
    }
    return order;
  };

  // --- The digits that ship with the page (packed by book/export.py) --------------------------

  // Half-bytes: 1 to 15 is a pixel, 0 and a number is that many black ones and one more.
  const unpack = ({ labels, pixels }) => {
    const halves = [...atob(pixels)].flatMap((letter) => [
      letter.charCodeAt(0) >> 4,
      letter.charCodeAt(0) & 15,
    ]);
    const x = new Float32Array(784 * labels.length);
    let place = 0;
    for (let at = 0; at < halves.length && place < x.length; at += 1) {
      if (halves[at] > 0) x[place++] = halves[at] / 15;
      else place += halves[(at += 1)] + 1;
    }
    return { x, labels: Array.from(labels, Number) };
  };

  // Some of the digits, by their places.
  const batchOf = ({ x, labels }, places) => {
    const chosen = new Float32Array(784 * places.length);
    places.forEach((place, at) => chosen.set(x.subarray(784 * place, 784 * (place + 1)), 784 * at));
    return [chosen, places.map((place) => labels[place])];
  };

  const learn = {
    forward,
    backward,
    step,
    accuracy,
    chance,
    firstWeights,
    shuffled,
    unpack,
    batchOf,
  };
  Object.assign((globalThis.mnistLive ??= {}), { learn });
}
