/** What the gateway says, in the language of the page. */
import { useCallback } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../api/problem";
import type { Instance } from "../api/types";

type Told = { code: string; message: string };

/** The gateway speaks English; other languages have sentences of their own for the codes they know, with its number. */
export function useReason(): (told: Told) => string {
  const { t, i18n } = useTranslation();
  return useCallback(
    ({ code, message }) => {
      const key = `code.${code}`;
      return i18n.exists(key) ? t(key as "code.NO_ANSWER", { number: /\d+/.exec(message)?.[0] }) : message;
    },
    [t, i18n],
  );
}

/** A sentence for anything that was thrown. */
export function useProblemText(): (error: unknown) => string {
  const reason = useReason();
  return useCallback((error) => reason(asProblem(error)), [reason]);
}

/** Dates and numbers as people write them here. */
export function useFormats() {
  const { i18n } = useTranslation();
  return formatsOf(i18n.resolvedLanguage ?? "en");
}

const made = new Map<string, ReturnType<typeof newFormats>>();

/** Formats are dear to make, so each language's are made once. */
function formatsOf(language: string) {
  const known = made.get(language) ?? newFormats(language);
  made.set(language, known);
  return known;
}

function newFormats(language: string) {
  const whole = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  const clock = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
  const short = new Intl.DateTimeFormat(language, { timeStyle: "short" });
  const day = new Intl.DateTimeFormat(language, { dateStyle: "long" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const numbers = [0, 1, 2].map((digits) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }));
  return {
    number: (value: number, digits: 0 | 1 | 2 = 0) => numbers[digits]?.format(value) ?? String(value),
    time: (value: string | number | Date) => whole.format(new Date(value)),
    clock: (value: string | number | Date) => clock.format(new Date(value)),
    short: (value: string | number | Date) => short.format(new Date(value)),
    day: (value: string | number | Date) => day.format(new Date(value)),
    size: (bytes: number) => size(language, bytes),
    ago: (value: string, now: number) => ago(relative, (Date.parse(value) - now) / 1000),
  };
}

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

function size(language: string, bytes: number): string {
  const step = Math.max(0, Math.min(SIZES.length - 1, Math.floor(Math.log10(bytes || 1) / 3)));
  const how = { style: "unit", unit: SIZES[step], maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(language, how).format(bytes / 1000 ** step);
}

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

function ago(format: Intl.RelativeTimeFormat, seconds: number): string {
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return format.format(Math.round(seconds / length), unit);
  }
  return format.format(Math.min(0, Math.round(seconds / 10) * 10), "second");
}

/** Desired and observed state, where they differ. */
export function isOnItsWay(instance: Instance): boolean {
  const live = !["stopped", "logged_out", "error", "deleted"].includes(instance.status);
  return (instance.desired === "stopped" && live) || (instance.desired === "running" && instance.status === "stopped");
}
