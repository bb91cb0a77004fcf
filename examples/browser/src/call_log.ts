// The table of calls. The version of HTTP is the browser's word: it tells pages when a request is over.
import type { Choice } from "./clients";

const MOST_ROWS = 12;

interface Entry {
  end(outcome: string): void;
}

interface Row {
  path: RegExp;
  began: number;
  http: HTMLElement;
}

export class CallLog {
  private open: Row[] = [];

  constructor(private readonly body: HTMLElement) {
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.heard(entry as PerformanceResourceTiming);
    }).observe({ type: "resource" });
  }

  begin(client: Choice, method: string): Entry {
    const began = performance.now();
    const row = document.createElement("tr");
    const cells = [`${client.name} (${client.from})`, method, "", "", "…"].map((text) => {
      const cell = row.insertCell();
      cell.textContent = text;
      return cell;
    });
    this.body.prepend(row);
    while (this.body.children.length > MOST_ROWS) this.body.lastElementChild!.remove();
    this.open.push({ path: new RegExp(`/example\\.coffee\\.Bar/${method}($|\\?)`), began, http: cells[2]! });
    this.open = this.open.slice(-MOST_ROWS);
    return {
      end: (outcome) => {
        cells[3]!.textContent = `${Math.round(performance.now() - began)} ms`;
        cells[4]!.textContent = outcome;
        cells[4]!.className = outcome === "OK" ? "good" : "bad";
      },
    };
  }

  private heard(timing: PerformanceResourceTiming): void {
    // The request began right after its call, so of calls to the same method it is the newest that is not newer.
    const row = this.open.filter(({ path, began }) => path.test(timing.name) && began <= timing.startTime).pop();
    // Of other origins the browser keeps the version to itself.
    if (row) row.http.textContent = timing.nextHopProtocol || "not told";
  }
}
