import { useEffect, useState } from "react";
import { useLive } from "../app/LiveContext";

const SLOTS = 60;
const SLOT_S = 10;

type Rate = { times: number[]; sent: number[]; received: number[] };

/** Messages in each of the last sixty slots of ten seconds, as the events tell them while the page is open. */
export function useMessageRate(id: string): Rate {
  const { listen } = useLive();
  const [rate, setRate] = useState<Rate>(empty);
  useEffect(() => {
    const moved = setInterval(() => setRate((before) => upTo(before, now())), 1000 * SLOT_S);
    const deaf = listen((events) => {
      const mine = events.filter((event) => event.data.includes(id));
      const sent = mine.filter((event) => event.name === "message.sent").length;
      const received = mine.filter((event) => event.name === "message.received").length;
      if (sent + received > 0) setRate((before) => counted(upTo(before, now()), sent, received));
    });
    return () => {
      clearInterval(moved);
      deaf();
    };
  }, [id, listen]);
  return rate;
}

const now = (): number => Math.floor(Date.now() / 1000 / SLOT_S) * SLOT_S;

function empty(): Rate {
  const last = now();
  const times = Array.from({ length: SLOTS }, (_, index) => last - (SLOTS - 1 - index) * SLOT_S);
  return { times, sent: times.map(() => 0), received: times.map(() => 0) };
}

function upTo(rate: Rate, time: number): Rate {
  const missing = Math.min(SLOTS, Math.round((time - (rate.times.at(-1) ?? time)) / SLOT_S));
  if (missing <= 0) return rate;
  const fresh = Array.from({ length: missing }, (_, index) => time - (missing - 1 - index) * SLOT_S);
  const zeros = fresh.map(() => 0);
  const moved = (values: number[], more: number[]): number[] => [...values, ...more].slice(-SLOTS);
  return { times: moved(rate.times, fresh), sent: moved(rate.sent, zeros), received: moved(rate.received, zeros) };
}

function counted(rate: Rate, sent: number, received: number): Rate {
  const add = (values: number[], more: number): number[] => values.with(-1, (values.at(-1) ?? 0) + more);
  return { times: rate.times, sent: add(rate.sent, sent), received: add(rate.received, received) };
}
