/** Every page has an address, with what is looked at in it. All but the list are loaded when they are first opened. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
} from "@tanstack/react-router";
import { MessengerInstanceManager } from "../instances/MessengerInstanceManager";
import { readFilters } from "../instances/address";
import { needWordsOfInstance } from "../words";
import { NotFound, PageFailed } from "./NotFound";
import { Shell } from "./Shell";

export const TABS = [
  ...(["overview", "login", "messages", "webhook", "logs"] as const),
  ...(["history", "errors", "metrics", "credentials", "danger"] as const),
] as const;
export type Tab = (typeof TABS)[number];

/** A page of one instance, as soon as its words are here, too. */
async function withWords<T>(page: Promise<T>): Promise<T> {
  await needWordsOfInstance();
  return page;
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: PageFailed });

const list = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: readFilters,
  component: MessengerInstanceManager,
});

const create = createRoute({
  getParentRoute: () => root,
  path: "/instances/new",
  component: lazyRouteComponent(() => withWords(import("../editor/MessengerInstanceEditor")), "CreatePage"),
});

const edit = createRoute({
  getParentRoute: () => root,
  path: "/instances/$id/edit",
  component: lazyRouteComponent(() => withWords(import("../editor/MessengerInstanceEditor")), "EditPage"),
});

const detail = createRoute({
  getParentRoute: () => root,
  path: "/instances/$id",
  validateSearch: ({ tab: named, chat }: Record<string, unknown>): { tab?: Tab; chat?: string } => {
    const tab = TABS.find((each) => each === named);
    // What is a number in the address is one of Telegram's ids.
    const isId = typeof chat === "string" || typeof chat === "number";
    return { ...(tab && { tab }), ...(tab === "messages" && isId && { chat: String(chat) }) };
  },
  component: lazyRouteComponent(() => withWords(import("../detail/MessengerInstanceDetail")), "MessengerInstanceDetail"),
});

const providers = createRoute({
  getParentRoute: () => root,
  path: "/providers",
  component: lazyRouteComponent(() => import("../providers/MessengerProviderList"), "MessengerProviderList"),
});

const system = createRoute({
  getParentRoute: () => root,
  path: "/system",
  component: lazyRouteComponent(() => import("../system/SystemPage"), "SystemPage"),
});

const access = createRoute({
  getParentRoute: () => root,
  path: "/access",
  component: lazyRouteComponent(() => import("../access/AccessPage"), "AccessPage"),
});

const routeTree = root.addChildren([list, create, edit, detail, providers, system, access]);

export function createAppRouter(history?: RouterHistory) {
  return createRouter({ routeTree, history, scrollRestoration: true, defaultPreload: "intent" });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
