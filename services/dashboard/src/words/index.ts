/**
 * Languages: from the browser at first, then as chosen. One is loaded at a time, and what only the pages of one instance
 * say is loaded with them.
 */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import type { en } from "./en";
import type { en as ofInstance } from "./instance.en";

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: typeof en & typeof ofInstance };
  }
}

export const LANGUAGES = { en: "English", ru: "Русский" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "mim-language";
const load: Record<Language, () => Promise<unknown>> = {
  en: async () => (await import("./en")).en,
  ru: async () => (await import("./ru")).ru,
};
const loadOfInstance: typeof load = {
  en: async () => (await import("./instance.en")).en,
  ru: async () => (await import("./instance.ru")).ru,
};

function isLanguage(value: string | null | undefined): value is Language {
  return value === "en" || value === "ru";
}

/** The language that was chosen, or else the first of the browser's that there is. */
export function preferred(): Language {
  const chosen = localStorage.getItem(KEY);
  if (isLanguage(chosen)) return chosen;
  return navigator.languages.map((name) => name.slice(0, 2)).find(isLanguage) ?? "en";
}

export async function startWords(language: Language = preferred()): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    supportedLngs: Object.keys(LANGUAGES),
    resources: { [language]: { translation: (await load[language]()) as Record<string, string> } },
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  });
  document.documentElement.lang = language;
}

let hasOfInstance = false;

/** Have the words for the pages of one instance, from now on in every language that is chosen. */
export async function needWordsOfInstance(language = i18next.language as Language): Promise<void> {
  i18next.addResourceBundle(language, "translation", await loadOfInstance[language](), true);
  hasOfInstance = true;
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(KEY, language);
  i18next.addResourceBundle(language, "translation", await load[language](), true);
  if (hasOfInstance) await needWordsOfInstance(language);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}
