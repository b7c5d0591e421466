import { expect, test } from "vitest";
import { instance } from "../test/data";
import { createWatch } from "./steady";

const good = instance(1);
const bad = instance(1, "error");
const ids = (found: { id: string }[]): string[] => found.map((each) => each.id);

test("an instance is told of once, when it has needed somebody for a while, however often the list changes", () => {
  const watch = createWatch(3000);
  expect(watch([good], 0)).toEqual([]);
  expect(watch([bad], 1000)).toEqual([]);
  expect(watch([bad, instance(2)], 2000)).toEqual([]);
  expect(watch([bad, instance(3)], 3900)).toEqual([]);
  expect(ids(watch([bad], 4000))).toEqual([bad.id]);
  expect(watch([bad], 9000)).toEqual([]);
});

test("a flicker is no news, and neither is what was so at first", () => {
  const watch = createWatch(3000);
  expect(watch([bad, instance(2)], 0)).toEqual([]);
  expect(watch([bad, instance(2, "error")], 1000)).toEqual([]);
  expect(watch([bad, instance(2)], 2000)).toEqual([]);
  expect(watch([bad, instance(2, "error")], 3000)).toEqual([]);
  expect(watch([bad, instance(2, "error")], 5000)).toEqual([]);
  expect(ids(watch([bad, instance(2, "error")], 6000))).toEqual([instance(2).id]);
});

test("after it has recovered it can be told of again", () => {
  const watch = createWatch(3000);
  watch([good], 0);
  watch([bad], 0);
  expect(ids(watch([bad], 3000))).toEqual([bad.id]);
  watch([good], 4000);
  watch([bad], 5000);
  expect(ids(watch([bad], 8000))).toEqual([bad.id]);
});
