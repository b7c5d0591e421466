/** Do something with each of many, a few at a time; returns how many failed. */
export async function inTurn<T>(
  items: readonly T[],
  atOnce: number,
  act: (item: T) => Promise<unknown>,
  onDone: (done: number) => void,
): Promise<number> {
  const waiting = [...items];
  let done = 0;
  let failed = 0;
  async function work(): Promise<void> {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      await act(item).catch(() => (failed += 1));
      onDone((done += 1));
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work));
  return failed;
}
