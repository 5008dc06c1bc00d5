/** Collects what is to be refreshed and hands it on together, at the latest `everyMs` after the first. */
export class Coalescer<Item> {
  private readonly items = new Set<Item>();
  private readonly everyMs: number;
  private readonly flush: (items: readonly Item[]) => void;
  private timer: NodeJS.Timeout | null = null;

  constructor(everyMs: number, flush: (items: readonly Item[]) => void) {
    this.everyMs = everyMs;
    this.flush = flush;
  }

  add(item: Item): void {
    this.items.add(item);
    this.timer ??= setTimeout(() => {
      this.timer = null;
      const items = [...this.items];
      this.items.clear();
      this.flush(items);
    }, this.everyMs);
  }

  dispose(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.items.clear();
  }
}
