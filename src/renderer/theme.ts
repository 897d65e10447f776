import {
  ActionIcon,
  Alert,
  Badge,
  Button,
  createTheme,
  Input,
  Loader,
  Menu,
  Modal,
  Tooltip,
  type CSSVariablesResolver,
  type MantineColorsTuple,
} from '@mantine/core';

/** The blue of the charts' first series. */
const blue: MantineColorsTuple = [
  '#e5f3fb',
  '#cfe6f5',
  '#9fcceb',
  '#6cb1e1',
  '#429ad8',
  '#258bd2',
  '#0f7dc7',
  '#0072b2',
  '#00639c',
  '#005485',
];

function tint(color: string, percent: number): string {
  return `color-mix(in srgb, var(--mantine-color-${color}-6) ${percent}%, var(--mantine-color-body))`;
}

/** Dense: small controls, little air, figures of one width. */
export const theme = createTheme({
  primaryColor: 'blue',
  primaryShade: { light: 7, dark: 7 },
  colors: { blue },
  autoContrast: true,
  defaultRadius: 'sm',
  cursorType: 'pointer',
  fontFamily:
    'system-ui, "Segoe UI", "Noto Sans", "PingFang TC", "Microsoft JhengHei", "Noto Sans CJK TC", "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "Cascadia Mono", "SF Mono", "DejaVu Sans Mono", monospace',
  headings: { fontWeight: '600' },
  components: {
    // Calm in both themes: a tint of the colour, and text as everywhere else.
    Alert: Alert.extend({
      vars: (_theme, { color = 'blue' }) => ({
        root: {
          '--alert-bg': tint(color, 13),
          '--alert-bd': `1px solid ${tint(color, 45)}`,
          '--alert-color': 'var(--mantine-color-text)',
        },
      }),
    }),
    Badge: Badge.extend({
      defaultProps: { variant: 'light' },
      vars: (_theme, { color = 'blue' }) => ({
        root: { '--badge-bg': tint(color, 18), '--badge-color': 'var(--mantine-color-text)' },
      }),
    }),
    Button: Button.extend({ defaultProps: { size: 'xs' } }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', size: 'md', color: 'gray' } }),
    Input: Input.extend({ defaultProps: { size: 'xs' } }),
    InputError: Input.Error.extend({ defaultProps: { size: 'sm' } }),
    Loader: Loader.extend({ defaultProps: { color: 'blue.5' } }),
    Menu: Menu.extend({ defaultProps: { shadow: 'md', withInitialFocusPlaceholder: false } }),
    Modal: Modal.extend({ defaultProps: { centered: true, transitionProps: { duration: 100 } } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 300, withArrow: true } }),
  },
});

/** Quiet text that can still be read: 4.5 to 1 and more on every background it stands on. */
export const quietText: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#5b626a',
    '--mantine-color-placeholder': '#6c727a',
    '--mantine-color-error': '#c92a2a',
  },
  dark: {
    '--mantine-color-dimmed': '#a3a7ac',
    '--mantine-color-placeholder': '#94989d',
    '--mantine-color-error': '#ff8787',
  },
});
