import { expect, test } from "vitest";
import { en as first } from "./en";
import { en as ofInstance } from "./instance.en";
import { ru as ofInstanceInRussian } from "./instance.ru";
import { ru as firstInRussian } from "./ru";

const en = { ...first, ...ofInstance };
const ru = { ...firstInRussian, ...ofInstanceInRussian };

const PLURAL = /_(?:one|few|many|other)$/;

function keys(words: object, before = ""): string[] {
  return Object.entries(words).flatMap(([key, value]) =>
    typeof value === "string" ? [before + key] : keys(value as object, `${before}${key}.`),
  );
}

test("both languages have the same words, and Russian all forms of a plural", () => {
  const base = (words: object): string[] => [...new Set(keys(words).map((key) => key.replace(PLURAL, "")))].sort();
  const codes = (key: string): boolean => !key.startsWith("code."); // English is what the gateway says
  expect(base(ru).filter(codes)).toEqual(base(en).filter(codes));
  const plurals = keys(ru).filter((key) => key.endsWith("_one"));
  expect(plurals.length).toBeGreaterThan(5);
  for (const key of plurals) {
    for (const form of ["few", "many", "other"]) expect(keys(ru)).toContain(key.replace(/one$/, form));
  }
});

test("no word is in two files", () => {
  expect(Object.keys(en)).toHaveLength(Object.keys(first).length + Object.keys(ofInstance).length);
});

test("what is filled in is the same in both", () => {
  const flat = (words: object): Map<string, string> => {
    const found = new Map<string, string>();
    const walk = (part: object, before: string): void => {
      for (const [key, value] of Object.entries(part)) {
        if (typeof value === "string") found.set(before + key, value);
        else walk(value as object, `${before}${key}.`);
      }
    };
    walk(words, "");
    return found;
  };
  const slots = (text = ""): string[] => (text.match(/\{\{\w+\}\}/g) ?? []).sort();
  const russian = flat(ru);
  for (const [key, text] of flat(en)) expect(slots(russian.get(key)), key).toEqual(slots(text));
});
