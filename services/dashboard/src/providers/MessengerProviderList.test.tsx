import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { open } from "../test/render";

test("each provider says what it can do, how many instances it has, and how they are", async () => {
  open("/providers");
  const whatsapp = await screen.findByRole("region", { name: "WhatsApp Web" });
  expect(within(whatsapp).getByText("Working")).toBeTruthy();
  expect(within(whatsapp).getByText("login by QR code")).toBeTruthy();
  const figure = (name: string) => within(whatsapp).getByText(name).nextElementSibling?.textContent;
  expect(["Workers", "Instances", "With a live session", "Ready for messages"].map(figure)).toEqual(["1", "2", "1", "1"]);
  const telegram = screen.getByRole("region", { name: "Telegram" });
  expect(within(telegram).getByText("No worker runs")).toBeTruthy();
  expect(within(telegram).getByRole("link", { name: "Show its instances" }).getAttribute("href")).toBe("/?provider=telegram");
});
