import { Alert, createTheme, Paper, type CSSVariablesResolver } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "blue",
  primaryShade: { light: 8, dark: 8 },
  autoContrast: true,
  luminanceThreshold: 0.32,
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SFMono-Regular', 'DejaVu Sans Mono', Menlo, monospace",
  components: {
    // Mantine's coloured titles on a tint of the same colour are too faint.
    Alert: Alert.extend({ styles: { title: { color: "var(--mantine-color-text)" } } }),
    Paper: Paper.extend({ defaultProps: { bg: "light-dark(#fff, var(--mantine-color-dark-6))" } }),
  },
});

/** Mantine's own secondary texts are too faint for WCAG AA. */
export const contrasts: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#545b62",
    "--mantine-color-placeholder": "#6b7280",
    "--mantine-color-error": "#c92a2a",
    "--mantine-color-anchor": "#1864ab",
    "--mantine-color-body": "#f8f9fb",
  },
  dark: {
    "--mantine-color-dimmed": "#a9adb3",
    "--mantine-color-placeholder": "#9a9ea5",
    "--mantine-color-error": "#ff8787",
    "--mantine-color-anchor": "#74c0fc",
  },
});
