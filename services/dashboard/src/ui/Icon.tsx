/** The few pictures of the page, as paths on a grid of 24. They are decoration: words stand beside them. */
const PATHS = {
  instances: "M4 5h16M4 12h16M4 19h16",
  providers: "M5 5h6v6H5zM13 5h6v6h-6zM5 13h6v6H5zM13 13h6v6h-6z",
  system: "M3 12h4l3-8 4 16 3-8h4",
  access: "M8 15a4 4 0 1 1 3.500-6H21v4h-2v3h-3v-3h-4.500A4 4 0 0 1 8 15z",
  plus: "M12 5v14M5 12h14",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500L19 19M19 5l-1.500 1.500M6.500 17.500L5 19",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4",
  play: "M8 5l11 7-11 7z",
  stop: "M7 7h10v10H7z",
  restart: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  edit: "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
  copy: "M9 9h10v10H9zM5 15V5h10",
  check: "M5 12l5 5 9-10",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.5",
  up: "M12 19V6M6 12l6-6 6 6",
  down: "M12 5v13M6 12l6 6 6-6",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  back: "M19 12H6M11 6l-6 6 6 6",
  reply: "M9 7l-5 5 5 5M4 12h10a6 6 0 0 1 6 6",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  send: "M4 12l16-8-6 16-3-7z",
  logout: "M14 4h5v16h-5M4 12h11M11 8l4 4-4 4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      style={{ flexShrink: 0 }}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
