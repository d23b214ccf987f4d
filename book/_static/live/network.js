// The forward pass of a trained network, in the open: what notebooks 03 and 05 do by hand.
//
// A layer is [kind, ...shape of its kernel]; values stand in one long row, as in NumPy: of an image
// (height, width, maps) the value of map m at row r, column c is values[(r * width + c) * maps + m].
{
  // Read 16-bit floats, written as text: sign, 5 bits of exponent, 10 bits of fraction.
  const decode = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const halves = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 2 }, (_, place) => {
      const half = halves.getUint16(2 * place, true);
      const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
      if (exponent === 0) return (sign * fraction) / 2 ** 24;
      return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
    });
  };

  // Each output is its bias, and the sum of all inputs times their weights: x @ W + b.
  const dense = (x, kernel, bias, [inputs, outputs]) => {
    const sums = Float32Array.from(bias);
    for (let i = 0; i < inputs; i += 1) {
      if (x[i] === 0) continue; // most of an image is black
      for (let o = 0; o < outputs; o += 1) sums[o] += x[i] * kernel[i * outputs + o];
    }
    return sums;
  };

  // At each place the window below the kernel times the kernel, summed over all maps: one sum for
  // each filter. Around the image lie zeros ("same"), which add nothing.
  const convolve = (x, kernel, bias, [size, , maps, filters]) => {
    const side = Math.sqrt(x.length / maps);
    const border = (size - 1) / 2;
    const sums = new Float32Array(side * side * filters);
    for (let row = 0; row < side; row += 1) {
      for (let column = 0; column < side; column += 1) {
        const here = (row * side + column) * filters;
        sums.set(bias, here);
        for (let k = 0; k < size * size; k += 1) {
          const r = row + Math.floor(k / size) - border;
          const c = column + (k % size) - border;
          if (r < 0 || r >= side || c < 0 || c >= side) continue;
          for (let map = 0; map < maps; map += 1) {
            const value = x[(r * side + c) * maps + map];
            if (value === 0) continue;
            const weights = (k * maps + map) * filters;
            for (let f = 0; f < filters; f += 1) sums[here + f] += value * kernel[weights + f];
          }
        }
      }
    }
    return sums;
  };

  // The largest of each 2 x 2 values of a map.
  const pool = (x, maps) => {
    const side = Math.sqrt(x.length / maps);
    const half = Math.floor(side / 2);
    return Float32Array.from({ length: half * half * maps }, (_, place) => {
      const [map, column] = [place % maps, Math.floor(place / maps) % half];
      const first = (2 * Math.floor(place / maps / half) * side + 2 * column) * maps + map;
      const below = first + side * maps;
      return Math.max(x[first], x[first + maps], x[below], x[below + maps]);
    });
  };

  const relu = (x) => x.map((value) => Math.max(value, 0));

  // Ten scores become ten probabilities; the largest is taken away first, so nothing overflows.
  const softmax = (scores) => {
    const largest = Math.max(...scores);
    const powers = Array.from(scores, (score) => Math.exp(score - largest));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  };

  // Send an image (784 values in 0..255) through all layers; the ten scores come out.
  const logits = (network, image) => {
    network.values ??= decode(network.weights);
    let x = Float32Array.from(image, (grey) => grey / 255);
    let [used, maps] = [0, 1];
    for (const [kind, ...shape] of network.layers) {
      if (kind === "relu") x = relu(x);
      if (kind === "pool") x = pool(x, maps);
      if (!shape.length) continue;
      maps = shape[shape.length - 1];
      const size = shape.reduce((a, b) => a * b);
      const kernel = network.values.subarray(used, used + size);
      const bias = network.values.subarray(used + size, used + size + maps);
      used += size + maps;
      x = (kind === "dense" ? dense : convolve)(x, kernel, bias, shape);
    }
    return x;
  };

  Object.assign((globalThis.mnistLive ??= {}), { logits, softmax });
}
