// The page: what its buttons call, and what it shows of the answers.
import { CHOICES } from "./clients";
import type { BarClient, Choice } from "./clients";
import { failureOf } from "./failure";
import type { Failure } from "./failure";
import { CallLog } from "./call_log";

// The page may be from another origin than the services: ?server=https://...
const server = new URLSearchParams(location.search).get("server") ?? location.origin;
const log = new CallLog(byId("calls"));
let choice = CHOICES[0]!;
let bar: BarClient;

function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function element(tag: string, className: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function input(id: string): HTMLInputElement {
  return byId<HTMLInputElement>(id);
}

function euros(cents: number): string {
  return `${(cents / 100).toFixed(2)} €`;
}

function showFailure(output: HTMLElement, failure: Failure): void {
  output.replaceChildren(element("span", "code bad", failure.code), ` ${failure.message}`);
  if (!failure.violations.length) return;
  const list = document.createElement("ul");
  list.append(...failure.violations.map(({ field, description }) => element("li", "", `${field} ${description}`)));
  output.append(list);
}

// Runs one call: its outcome goes into `output`, and into the table.
async function run(name: string, output: HTMLElement, call: () => Promise<string>): Promise<void> {
  output.replaceChildren();
  const entry = log.begin(choice, name);
  try {
    const text = await call();
    entry.end("OK");
    output.replaceChildren(element("span", "good", text));
  } catch (error) {
    const failure = failureOf(error);
    entry.end(failure.code);
    showFailure(output, failure);
  }
}

async function showMenu(): Promise<void> {
  await run("Menu", byId("order-result"), async () => {
    const { drinks } = await bar.menu({});
    const options = drinks.map(({ name, cents }) => new Option(`${name}, ${euros(cents)}`, name));
    byId<HTMLSelectElement>("drink").replaceChildren(...options);
    return `${drinks.length} drinks on the menu`;
  });
}

async function order(): Promise<void> {
  await run("Order", byId("order-result"), async () => {
    const drink = byId<HTMLSelectElement>("drink").value;
    const receipt = await bar.order({ drink, cups: input("cups").valueAsNumber });
    input("watched").value = input("collected").value = String(receipt.number);
    return `Order ${receipt.number}: ${receipt.cups} × ${receipt.drink}, ${euros(receipt.cents)}`;
  });
}

async function watch(): Promise<void> {
  const [button, stop, steps] = [byId<HTMLButtonElement>("watch"), byId<HTMLButtonElement>("stop"), byId("steps")];
  const progress = byId<HTMLProgressElement>("progress");
  const leaving = new AbortController();
  stop.onclick = () => leaving.abort(new DOMException("you stopped it", "AbortError"));
  steps.replaceChildren();
  progress.value = 0;
  button.disabled = !(stop.disabled = false);
  await run("Watch", byId("watch-result"), async () => {
    let updates = 0;
    for await (const { percent, step } of bar.watch(
      { number: input("watched").valueAsNumber }, { signal: leaving.signal },
    )) {
      updates += 1;
      progress.value = percent;
      if (steps.lastElementChild?.textContent !== step) steps.append(element("li", "", step));
    }
    return `Ready, after ${updates} updates`;
  });
  button.disabled = !(stop.disabled = true);
}

async function collect(): Promise<void> {
  await run("Collect", byId("deadline-result"), async () => {
    const timeoutMs = input("seconds").valueAsNumber * 1000;
    const receipt = await bar.collect({ number: input("collected").valueAsNumber }, { timeoutMs });
    return `Here you are: ${receipt.cups} × ${receipt.drink}`;
  });
}

async function orderSoup(): Promise<void> {
  await run("Order", byId("error-result"), async () => {
    const { number } = await bar.order({ drink: "soup", cups: 40 });
    return `Order ${number}, against all expectations`;
  });
}

async function watchNothing(): Promise<void> {
  await run("Watch", byId("error-result"), async () => {
    for await (const { step } of bar.watch({ number: 999 })) return `${step}, against all expectations`;
    return "It ended without an error, against all expectations";
  });
}

async function use(chosen: Choice): Promise<void> {
  choice = chosen;
  bar = chosen.connect(server);
  await showMenu();
}

function offer(one: Choice): HTMLElement {
  const label = document.createElement("label");
  const radio = document.createElement("input");
  Object.assign(radio, { type: "radio", name: "client", value: one.id, checked: one === choice });
  radio.onchange = () => use(one);
  label.append(radio, one.name, element("span", "", one.from));
  return label;
}

byId("page-origin").textContent = location.origin;
byId("services").textContent = server;
byId("relation").textContent = server === location.origin ? "That is the same origin." : "That is another origin, which CORS has to let in.";
byId("clients").append(...CHOICES.map(offer));
byId<HTMLFormElement>("order").onsubmit = (event) => {
  event.preventDefault();
  void order();
};
byId("watch").onclick = watch;
byId("collect").onclick = collect;
byId("wrong").onclick = orderSoup;
byId("missing").onclick = watchNothing;
void use(choice);
