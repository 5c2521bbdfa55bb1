const cases = [...document.querySelectorAll(".case")];
const groups = [...document.querySelectorAll("section")];
const buttons = [...document.querySelectorAll("nav button")];
const search = document.querySelector("nav input");
const none = document.querySelector("#none");
const texts = cases.map((one) => one.textContent.toLowerCase());

function show() {
  const pressed = buttons.filter((one) => one.ariaPressed === "true");
  const verdicts = new Set(pressed.map((one) => one.dataset.verdict));
  const wanted = search.value.toLowerCase();
  let shown = 0;
  cases.forEach((one, at) => {
    const fits = verdicts.size === 0 || verdicts.has(one.dataset.verdict);
    one.hidden = !(fits && texts[at].includes(wanted));
    shown += one.hidden ? 0 : 1;
  });
  for (const group of groups) {
    group.hidden = !group.querySelector(".case:not([hidden])");
  }
  none.hidden = shown > 0;
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    button.ariaPressed = button.ariaPressed === "true" ? "false" : "true";
    show();
  });
}
search.addEventListener("input", show);
document.querySelector("nav").hidden = false;
