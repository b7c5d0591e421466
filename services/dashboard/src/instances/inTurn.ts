/** Do something with each of many, a few at a time; returns those that failed, with what was thrown. */
export async function inTurn<T>(
  items: readonly T[],
  atOnce: number,
  act: (item: T) => Promise<unknown>,
  onDone: (done: number) => void,
): Promise<Map<T, unknown>> {
  const waiting = [...items];
  const failed = new Map<T, unknown>();
  let done = 0;
  async function work(): Promise<void> {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      const one = item;
      await act(one).catch((error: unknown) => failed.set(one, error));
      onDone((done += 1));
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work));
  return failed;
}
