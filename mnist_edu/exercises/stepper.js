for (const box of document.querySelectorAll(".mnist-edu-stepper:not([data-ready])")) {
  box.dataset.ready = "yes";
  box.insertAdjacentHTML("afterbegin", $controls);
  const find = (name) => box.querySelector(name);
  const places = [...box.querySelectorAll("li")];
  const slider = find("input"), frame = find(".frame"), play = find(".play");
  const products = find('[data-grid="image × kernel"]').querySelectorAll("text");
  const map = find('[data-grid="map"]');
  const sums = map.querySelectorAll("text"), cells = map.querySelectorAll("rect");
  const cell = Number(cells[0].getAttribute("width"));
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  const go = (to) => {
    const at = Math.max(0, Math.min(places.length - 1, to));
    const [row, column] = places[at].dataset.at.split(" ").map(Number);
    frame.setAttribute("x", 2 + column * cell);
    frame.setAttribute("y", 2 + row * cell);
    places[at].dataset.products.split(" ").forEach((p, i) => { products[i].textContent = p; });
    sums.forEach((text, i) => { text.style.visibility = i > at ? "hidden" : "visible"; });
    cells.forEach((rect, i) => { rect.setAttribute("fill", i === at ? "#cfe6f5" : "#fff"); });
    find(".says").textContent = places[at].textContent;
    slider.value = at;
    if (at === places.length - 1) stop();
  };
  const step = (by) => { go(Number(slider.value) + by); };
  find(".back").onclick = () => { stop(); step(-1); };
  find(".on").onclick = () => { stop(); step(1); };
  slider.oninput = () => { stop(); step(0); };
  play.onclick = () => {
    if (timer) { stop(); return; }
    if (Number(slider.value) === places.length - 1) go(0);
    play.textContent = "Stop";
    timer = setInterval(() => { if (box.isConnected) step(1); else stop(); }, 1200);
  };
  go(0);
}
