// What the pages do beside being read: guesses, terms, and what the keyboard needs. No library, and
// nothing that is typed leaves the page.
(() => {
  "use strict";

  // --- Guesses, compared in the words of mnist_edu.lesson.compare ---------------------------------

  // A number with as many significant digits, as Python's format "g" writes it.
  const general = (value, digits) => {
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    const exponent = Number(power);
    const bare = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
    if (exponent >= -4 && exponent < digits) return bare(value.toFixed(digits - 1 - exponent));
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${bare(mantissa)}e${exponent < 0 ? "-" : "+"}${size}`;
  };

  const grouped = (whole) => whole.toLocaleString("en-GB", { maximumFractionDigits: 0 });
  const number = (value, digits) => (Number.isInteger(value) ? grouped(value) : general(value, digits));

  const nearness = (guess, truth) => {
    if (guess === truth) return "right";
    if (guess * truth < 0) return "the other way: another sign";
    if (Math.abs(guess - truth) <= 0.05 * Math.abs(truth)) return "near";
    const side = Math.abs(guess) > Math.abs(truth) ? "large" : "small";
    const [least, most] = [Math.abs(guess), Math.abs(truth)].sort((a, b) => a - b);
    const times = least ? most / least : 1;
    return times >= 1.75 ? `about ${grouped(times)} times too ${side}` : `too ${side}`;
  };

  const asNumber = (text) => {
    const plain = text.replace("−", "-").replace(/[\s%_]/g, "").replace(/,(?=\d{3}\b)/g, "");
    return plain === "" ? NaN : Number(plain);
  };

  const compared = (typed, about) => {
    const { answer, kind, unit, digits } = about;
    const told = (guess, verdict) => `Your guess: ${guess} · answer: ${answer}${unit} · ${verdict}`;
    if (kind === "text") {
      const bare = (text) => text.replace(/["'“”\s]/g, "").toLowerCase();
      return told(typed.trim(), bare(typed) === bare(answer) ? "right" : "not this time");
    }
    const [guess, truth] = [asNumber(typed), asNumber(answer)];
    if (Number.isNaN(guess)) return "Write a number, such as 0.5.";
    const away = number(Math.abs(guess - truth), Number(digits)) + unit;
    return told(`${typed.trim()}${typed.includes("%") ? "" : unit}`, `difference: ${away}, ${nearness(guess, truth)}`);
  };
  window.comparedGuess = compared; // for the tests

  const listen = (form) => {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const typed = form.querySelector("input").value;
      const said = form.querySelector("output");
      said.textContent = typed.trim() ? compared(typed, form.dataset) : "Write your guess into the field first.";
    });
  };

  // --- Terms of the glossary ----------------------------------------------------------------------

  const bubble = document.createElement("div");
  bubble.id = "definition";
  bubble.setAttribute("role", "tooltip");
  bubble.hidden = true;
  let shownFor = null;
  let leaving = 0;

  const hide = () => {
    clearTimeout(leaving);
    if (shownFor) shownFor.removeAttribute("aria-describedby");
    shownFor = null;
    bubble.hidden = true;
  };
  const hideSoon = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hide, 250); // so that the pointer can move onto the definition
  };
  const define = (link) => {
    const text = (window.glossary || {})[decodeURIComponent(link.hash.slice(1))];
    if (!text) return;
    hide();
    shownFor = link;
    link.setAttribute("aria-describedby", bubble.id);
    bubble.textContent = text;
    bubble.hidden = false;
    const place = link.getBoundingClientRect();
    const room = document.documentElement.clientWidth - bubble.offsetWidth - 8;
    const below = place.bottom + bubble.offsetHeight + 8 < window.innerHeight;
    const top = below ? place.bottom + 4 : Math.max(4, place.top - bubble.offsetHeight - 4);
    bubble.style.left = `${Math.max(8, Math.min(place.left, room)) + window.scrollX}px`;
    bubble.style.top = `${top + window.scrollY}px`;
  };
  const explain = (link) => {
    link.addEventListener("mouseenter", () => define(link));
    link.addEventListener("focus", () => define(link));
    link.addEventListener("mouseleave", hideSoon);
    link.addEventListener("blur", hide);
    link.addEventListener("click", (event) => {
      // A finger cannot hover: the first tap shows the definition, the second follows the link.
      if (!matchMedia("(hover: none)").matches || link.dataset.tapped) return;
      event.preventDefault();
      link.dataset.tapped = "yes";
      define(link);
    });
  };

  // --- The keyboard -------------------------------------------------------------------------------

  // What scrolls sideways in its own box can be reached, and says what it is.
  const SCROLLS = "pre, .table-wrapper, .output, .tall, mjx-container[display], .cell_output svg";
  const reachable = () => {
    for (const box of document.querySelectorAll(SCROLLS)) {
      const style = getComputedStyle(box);
      const wide = box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(style.overflowX);
      const long = box.scrollHeight > box.clientHeight + 1 && /auto|scroll/.test(style.overflowY);
      if (!wide && !long) continue;
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `${box.matches("pre, .tall") ? "Text" : "Table or formula"} that scrolls`);
    }
  };

  // The theme opens its two drawers with labels of hidden boxes, which no key reaches.
  const openable = (label) => {
    const box = document.getElementById(label.htmlFor);
    const button = document.createElement("button");
    const names = { __navigation: "Contents of the book", __toc: "Contents of this page" };
    const update = () => button.setAttribute("aria-expanded", String(box.checked));
    button.type = "button";
    button.className = label.className;
    button.setAttribute("aria-label", names[box.id]);
    button.append(...label.childNodes);
    button.addEventListener("click", () => {
      box.checked = !box.checked;
      box.dispatchEvent(new Event("change"));
    });
    box.addEventListener("change", update);
    update();
    label.replaceWith(button);
  };
  const close = () => {
    for (const box of document.querySelectorAll("#__navigation:checked, #__toc:checked")) {
      box.checked = false;
      box.dispatchEvent(new Event("change"));
    }
  };

  document.querySelectorAll("form.guess").forEach(listen);
  document.querySelectorAll("a.term").forEach(explain);
  document.querySelectorAll("label.nav-overlay-icon, label.toc-overlay-icon").forEach(openable);
  document.body.append(bubble);
  bubble.addEventListener("mouseenter", () => clearTimeout(leaving));
  bubble.addEventListener("mouseleave", hideSoon);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    hide();
    close();
  });
  document.addEventListener("toggle", reachable, true);
  window.addEventListener("resize", reachable);
  window.addEventListener("load", () => {
    reachable();
    if (window.MathJax && window.MathJax.startup) window.MathJax.startup.promise.then(reachable);
  });
})();
