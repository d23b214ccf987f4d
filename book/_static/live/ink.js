// Strokes to 28 x 28 pixels in MNIST's form: the steps of mnist_edu/ink.py, one by one.
//
// What is drawn on the pad is white on an even black, so the steps for photos (colour, light, sign,
// lines of the paper) are left out. An image is { width, height, values }, values from 0 to 1, row
// by row. How far the result is from Python's is measured in tests/test_live.py.
{
  const FINE = 4; // strokes are drawn four times too large, for smooth edges
  const FIT = 20; // longer side of the ink
  const SIDE = 28;
  const MIDDLE = 14; // where the centre of mass belongs
  const PEN = [2.0, 3.2]; // width of a pen in pixels of MNIST
  const LARGE = 200; // longer side at which the width of the pen is measured, and changed
  const MARGIN = 12; // around it: more than the blur, and a stroke that gets thicker, reach
  const ADVICE = "write one digit with a dark pen on light paper, large, and in even light";

  const blank = (width, height) => ({ width, height, values: new Float32Array(width * height) });
  const most = (values) => values.reduce((a, b) => Math.max(a, b), 0);
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const longest = ([left, top, right, bottom]) => Math.max(right - left, bottom - top);

  // --- From strokes to a drawing --------------------------------------------------------------

  const drawStrokes = (strokes, side, pen) => {
    const wide = FINE * side;
    const fine = new Uint8Array(wide * wide);
    const radius = Math.max(1, Math.round(FINE * pen)) / 2;
    for (const stroke of strokes) {
      const points = stroke.map((point) => point.map((at) => Math.round(FINE * at)));
      points.forEach((point, place) => {
        fillDisc(fine, wide, point, Math.round(radius));
        if (place) fillBetween(fine, wide, points[place - 1], point, radius + 0.5); // as OpenCV
      });
    }
    const drawing = blank(side, side);
    const places = strokes.flat();
    const [left, top] = [0, 1].map((axis) => Math.min(...places.map((place) => place[axis])) - pen);
    const [right, bottom] = [0, 1].map(
      (axis) => Math.max(...places.map((place) => place[axis])) + pen,
    );
    const fours = new Uint32Array(fine.buffer); // four pixels of a row at a time
    for (let row = Math.max(0, Math.floor(top)); row < Math.min(side, bottom); row += 1) {
      const last = Math.min(side, right);
      for (let column = Math.max(0, Math.floor(left)); column < last; column += 1) {
        let inked = 0;
        for (let at = FINE * row * side + column; at < FINE * (row + 1) * side; at += side) {
          if (fours[at] === 0x01010101) inked += 4;
          else if (fours[at]) for (let k = 0; k < 32; k += 8) inked += (fours[at] >> k) & 1;
        }
        drawing.values[row * side + column] = inked;
      }
    }
    drawing.values.forEach((inked, place) => {
      if (inked) drawing.values[place] = Math.round((255 * inked) / FINE ** 2) / 255;
    });
    return drawing;
  };

  // Fill the pixels of a row from one place to another, as far as they lie in the drawing.
  const fillRow = (fine, wide, y, left, right) => {
    const [from, to] = [Math.max(0, Math.ceil(left)), Math.min(wide - 1, Math.floor(right))];
    if (from <= to) fine.fill(1, y * wide + from, y * wide + to + 1);
  };

  const rows = (wide, low, high) => [
    Math.max(0, Math.ceil(low)),
    Math.min(wide - 1, Math.floor(high)),
  ];

  const fillDisc = (fine, wide, [x, y], radius) => {
    const [first, last] = rows(wide, y - radius, y + radius);
    for (let row = first; row <= last; row += 1) {
      const half = Math.sqrt(radius ** 2 - (row - y) ** 2);
      fillRow(fine, wide, row, x - half, x + half);
    }
  };

  // The rectangle between two discs: in each row, from one of its edges to another.
  const fillBetween = (fine, wide, [x1, y1], [x2, y2], radius) => {
    const length = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [across, up] = [((y1 - y2) * radius) / length, ((x2 - x1) * radius) / length];
    const xs = [x1 + across, x2 + across, x2 - across, x1 - across];
    const ys = [y1 + up, y2 + up, y2 - up, y1 - up];
    const [first, last] = rows(wide, Math.min(...ys), Math.max(...ys));
    for (let row = first; row <= last; row += 1) {
      let [left, right] = [Infinity, -Infinity];
      for (let a = 0; a < 4; a += 1) {
        const b = (a + 1) % 4;
        if (ys[a] <= row === ys[b] <= row) continue;
        const x = xs[a] + ((row - ys[a]) * (xs[b] - xs[a])) / (ys[b] - ys[a]);
        left = Math.min(left, x);
        right = Math.max(right, x);
      }
      fillRow(fine, wide, row, left, right);
    }
  };

  // --- Which ink belongs to the digit? --------------------------------------------------------

  // Connected pieces of ink: for each its pixels and its box (left, top, right, bottom).
  const pieces = ({ width, height, values }) => {
    const seen = new Uint8Array(width * height);
    const found = [];
    for (let start = 0; start < width * height; start += 1) {
      if (!seen[start] && values[start] > 0.5) found.push(piece(start));
    }
    return found;

    function piece(start) {
      const pixels = [start];
      let [left, top, right, bottom] = [width, height, 0, 0];
      seen[start] = 1;
      for (let next = 0; next < pixels.length; next += 1) {
        const x = pixels[next] % width;
        const y = (pixels[next] - x) / width;
        left = Math.min(left, x);
        right = Math.max(right, x + 1);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y + 1);
        for (let r = Math.max(0, y - 1); r <= Math.min(height - 1, y + 1); r += 1) {
          for (let c = Math.max(0, x - 1); c <= Math.min(width - 1, x + 1); c += 1) {
            const at = r * width + c;
            if (seen[at] || values[at] <= 0.5) continue;
            seen[at] = 1;
            pixels.push(at);
          }
        }
      }
      return { pixels, box: [left, top, right, bottom] };
    }
  };

  const around = (a, b) => [
    Math.min(a[0], b[0]),
    Math.min(a[1], b[1]),
    Math.max(a[2], b[2]),
    Math.max(a[3], b[3]),
  ];
  const gap = (a, b) =>
    Math.hypot(Math.max(0, a[0] - b[2], b[0] - a[2]), Math.max(0, a[1] - b[3], b[1] - a[3]));

  // Leave out specks: much smaller than the pieces that hold most ink.
  const withoutSpecks = (found) => {
    const bySize = [...found].sort((a, b) => longest(a.box) - longest(b.box));
    const half = sum(found.map((piece) => piece.pixels.length)) / 2;
    let held = 0;
    const typical = bySize.find((piece) => (held += piece.pixels.length) >= half);
    return found.filter(
      (piece) => longest(piece.box) > 0.1 * longest(typical.box) && piece.pixels.length > 3,
    );
  };

  // The largest piece and what lies near it: a digit, and no smudge elsewhere.
  const nearLargest = (found) => {
    let rest = [...found].sort((a, b) => b.pixels.length - a.pixels.length);
    const chosen = [rest.shift()];
    for (;;) {
      const box = chosen.map((piece) => piece.box).reduce(around);
      const near = rest.filter((piece) => gap(piece.box, box) < 0.3 * longest(box));
      if (!near.length) return { chosen, box };
      chosen.push(...near);
      rest = rest.filter((piece) => !near.includes(piece));
    }
  };

  // The ink of the digit alone, its soft edges kept, with a margin: 4 pixels, fewer at the edge.
  const only = (drawing, { chosen, box: [left, top, right, bottom] }) => {
    const [startX, startY] = [left, top].map((start) => Math.max(0, start - 2) - 2);
    const endX = Math.min(drawing.width, right + 2) + 2;
    const endY = Math.min(drawing.height, bottom + 2) + 2;
    const digit = blank(endX - startX, endY - startY);
    for (const { pixels } of chosen) {
      for (const place of pixels) {
        const x = place % drawing.width;
        const y = (place - x) / drawing.width;
        for (let r = Math.max(0, y - 1); r <= Math.min(drawing.height - 1, y + 1); r += 1) {
          for (let c = Math.max(0, x - 1); c <= Math.min(drawing.width - 1, x + 1); c += 1) {
            digit.values[(r - startY) * digit.width + c - startX] =
              drawing.values[r * drawing.width + c];
          }
        }
      }
    }
    return digit;
  };

  // --- Into MNIST's form ----------------------------------------------------------------------

  const box = ({ width, height, values }) => {
    let [left, top, right, bottom] = [width, height, 0, 0];
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        if (values[y * width + x] <= 0.5) continue;
        left = Math.min(left, x);
        right = Math.max(right, x + 1);
        top = Math.min(top, y);
        bottom = y + 1;
      }
    }
    return [left, top, right, bottom];
  };

  // Cut out a part; what lies beyond the edges is black.
  const cut = (image, left, top, width, height) => {
    const part = blank(width, height);
    for (let y = Math.max(0, -top); y < Math.min(height, image.height - top); y += 1) {
      for (let x = Math.max(0, -left); x < Math.min(width, image.width - left); x += 1) {
        part.values[y * width + x] = image.values[(top + y) * image.width + left + x];
      }
    }
    return part;
  };

  // Which pixels make each pixel of a line of another length, and with what weights: those that it
  // covers where the line gets shorter, the two nearest where it gets longer.
  const mixtures = (length, wanted) =>
    Array.from({ length: wanted }, (_, place) => {
      const scale = length / wanted;
      if (wanted >= length) {
        const at = Math.min(length - 1, Math.max(0, (place + 0.5) * scale - 0.5));
        const first = Math.min(Math.floor(at), Math.max(0, length - 2));
        return [
          [first, 1 - (at - first)],
          [Math.min(first + 1, length - 1), at - first],
        ];
      }
      const [from, to] = [place * scale, (place + 1) * scale];
      const mixture = [];
      for (let at = Math.floor(from); at < Math.min(length, to); at += 1) {
        const covered = Math.min(at + 1, to) - Math.max(at, from);
        if (covered > 1e-9) mixture.push([at, covered / scale]);
      }
      return mixture;
    });

  const resize = (image, width, height) => {
    const [narrow, result] = [blank(width, image.height), blank(width, height)];
    mixtures(image.width, width).forEach((mixture, x) => {
      for (const [from, weight] of mixture) {
        for (let y = 0; y < image.height; y += 1) {
          narrow.values[y * width + x] += weight * image.values[y * image.width + from];
        }
      }
    });
    mixtures(image.height, height).forEach((mixture, y) => {
      for (const [from, weight] of mixture) {
        for (let x = 0; x < width; x += 1) {
          result.values[y * width + x] += weight * narrow.values[from * width + x];
        }
      }
    });
    return result;
  };

  // Blur with a bell curve; the margin around the ink is wider than the curve.
  const blurred = ({ width, height, values }, sigma) => {
    const reach = 4 * sigma;
    const taps = Array.from({ length: 2 * reach + 1 }, (_, k) =>
      Math.exp(-(((k - reach) / sigma) ** 2) / 2),
    );
    const total = sum(taps);
    const along = (from, step, rows) => {
      const to = new Float32Array(from.length);
      for (let at = rows * width; at < from.length - rows * width; at += 1) {
        let mixed = taps[reach] * from[at];
        for (let k = 1; k <= reach; k += 1)
          mixed += taps[reach + k] * (from[at - k * step] + from[at + k * step]);
        to[at] = mixed / total;
      }
      return to;
    };
    return { width, height, values: along(along(values, 1, 1), width, reach) };
  };

  // Twice the area of the ink by the length of its edge: a long stroke has two edges.
  const penWidth = (image) => {
    const { width, values } = blurred(image, 2);
    let edge = 0;
    for (let at = width; at < values.length - width; at += 1) {
      const down = values[at + width] - values[at - width];
      const right = values[at + 1] - values[at - 1];
      edge += Math.sqrt(down * down + right * right) / 2;
    }
    return (2 * sum(image.values)) / edge;
  };

  // Make all strokes thicker: each pixel becomes the largest in a disc around it. The disc goes row
  // by row, from its narrow ends to its middle.
  const thicker = ({ width, height, values }, radius) => {
    const result = blank(width, height);
    let [largest, half] = [values, 0]; // of the pixels up to half to the left and to the right
    for (let down = radius; down >= 0; down -= 1) {
      for (; half < Math.round(Math.sqrt(radius ** 2 - down ** 2)); half += 1) {
        largest = largerOf(largest.slice(), values, half + 1);
      }
      largerOf(result.values, largest, down * width);
    }
    return result;
  };

  // Take the larger of a value and its two neighbours in another row of values, so far away.
  const largerOf = (values, others, away) => {
    for (let at = away; at < values.length - away; at += 1) {
      const [before, after] = [others[at - away], others[at + away]];
      if (before > values[at]) values[at] = before;
      if (after > values[at]) values[at] = after;
    }
    return values;
  };

  const inverse = (image) => ({ ...image, values: image.values.map((value) => 1 - value) });

  // Bring strokes that are much thinner or thicker than MNIST's to the nearest usual width.
  const evenPen = (image) => {
    const scale = LARGE / longest(box(image));
    const [width, height] = [image.width, image.height].map((side) =>
      Math.max(1, Math.round(scale * side)),
    );
    const large = cut(
      resize(image, width, height),
      -MARGIN,
      -MARGIN,
      width + 2 * MARGIN,
      height + 2 * MARGIN,
    );
    const wide = (penWidth(large) * FIT) / LARGE;
    const aim = Math.min(PEN[1], Math.max(PEN[0], wide));
    const change = ((LARGE / FIT) * (aim - wide) * FIT) / (FIT - aim); // it grows, then is fitted
    if (Math.abs(change) < 1) return image;
    const radius = Math.round(Math.abs(change) / 2);
    const even = change > 0 ? thicker(large, radius) : inverse(thicker(inverse(large), radius));
    return most(even.values) > 0.5 ? even : image;
  };

  // A square around the ink becomes 20 x 20.
  const fitted = (image) => {
    const [left, top, right, bottom] = box(image);
    const side = Math.max(right - left, bottom - top);
    const [aside, above] = [
      Math.floor((side - right + left) / 2),
      Math.floor((side - bottom + top) / 2),
    ];
    return resize(cut(image, left - aside, top - above, side, side), FIT, FIT);
  };

  // Move it by whole pixels until its centre of mass is in the middle of 28 x 28.
  const centred = ({ values }) => {
    const [total, largest] = [sum(values), most(values)];
    const middle = (along) => sum(values.map((value, place) => value * along(place))) / total;
    const [row, column] = [(place) => Math.floor(place / FIT), (place) => place % FIT].map(
      (along) => Math.min(SIDE - FIT, Math.max(0, Math.round(MIDDLE - middle(along) - 0.001))),
    );
    const image = new Uint8Array(SIDE * SIDE);
    values.forEach((value, place) => {
      const at = (row + Math.floor(place / FIT)) * SIDE + column + (place % FIT);
      image[at] = Math.round((255 * value) / largest);
    });
    return image;
  };

  // Bring strokes into MNIST's form: 784 values in 0..255. Throws an Error that says why not.
  const toMnist = (strokes, side, pen) => {
    const drawing = drawStrokes(strokes, side, pen);
    const found = pieces(drawing);
    const inked = sum(found.map((piece) => piece.pixels.length));
    if (inked < 5) throw new Error(`no ink was found, the picture is all of one shade: ${ADVICE}`);
    if (inked > 0.7 * side * side) {
      throw new Error(`almost everything is ink, and no digit can be seen: ${ADVICE}`);
    }
    return centred(fitted(evenPen(only(drawing, nearLargest(withoutSpecks(found))))));
  };

  // Move an image by whole pixels, as data.shift does; what leaves it is lost.
  const shift = (image, right, down) =>
    image.map((_, place) => {
      const [row, column] = [Math.floor(place / SIDE) - down, (place % SIDE) - right];
      return row < 0 || row >= SIDE || column < 0 || column >= SIDE
        ? 0
        : image[row * SIDE + column];
    });

  Object.assign((globalThis.mnistLive ??= {}), { drawStrokes, toMnist, shift });
}
