import { createMemoryHistory } from "@tanstack/react-router";
import { render } from "@testing-library/react";
import { newQueryClient } from "../api/queries";
import { App } from "../app/App";

/** The whole page at an address. */
export function open(path: string): void {
  render(<App queries={newQueryClient()} history={createMemoryHistory({ initialEntries: [path] })} />);
}
