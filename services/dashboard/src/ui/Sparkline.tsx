/** A line of recent values, as decoration beside the figure itself. */
export function Sparkline({ values, width = 88, height = 28 }: { values: number[]; width?: number; height?: number }) {
  const least = Math.min(...values);
  const span = Math.max(...values) - least || 1;
  const step = width / (values.length - 1);
  const y = (value: number) => height - 2 - ((value - least) / span) * (height - 4);
  const points = values.map((value, index) => `${(index * step).toFixed(1)},${y(value).toFixed(1)}`);
  return (
    <svg
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      height={height}
      aria-hidden="true"
      style={{ flex: "0 1 88px", minWidth: 0 }}
    >
      <polygon
        points={`0,${height} ${points.join(" ")} ${width},${height}`}
        fill="var(--mantine-primary-color-filled)"
        opacity={0.12}
      />
      <polyline points={points.join(" ")} fill="none" stroke="var(--mantine-primary-color-filled)" strokeWidth={1.5} />
    </svg>
  );
}
