import { app, Menu, type MenuItemConstructorOptions } from 'electron';

import type { Label } from '../contract/messages/labels.ts';
import type { Push } from '../contract/bridge.ts';

export interface MenuActions {
  readonly command: (name: Push<'command'>['name']) => void;
  readonly navigate: (to: string) => void;
  readonly developing: boolean;
}

/** The native menu, in the reader's language. */
export function setMenu(t: Label, { command, navigate, developing }: MenuActions): void {
  const mac = process.platform === 'darwin';
  const settings: MenuItemConstructorOptions = {
    label: t('main.settings'),
    accelerator: 'CmdOrCtrl+,',
    click: () => navigate('/settings'),
  };
  const template: MenuItemConstructorOptions[] = [
    ...(mac ? [appMenu(t, settings)] : []),
    {
      label: t('main.file'),
      submenu: [
        { label: t('main.new-run'), accelerator: 'CmdOrCtrl+N', click: () => navigate('/new') },
        { label: t('main.add-model'), accelerator: 'CmdOrCtrl+O', click: () => command('add-model') },
        { label: t('main.import-run'), accelerator: 'CmdOrCtrl+I', click: () => command('import-run') },
        ...(mac ? [] : [{ type: 'separator' } as const, settings]),
        { type: 'separator' },
        mac
          ? { role: 'close', label: t('main.close') }
          : { label: t('main.quit'), accelerator: 'CmdOrCtrl+Q', click: () => app.quit() },
      ],
    },
    editMenu(t),
    {
      label: t('main.go'),
      submenu: [
        { label: t('main.models'), accelerator: 'CmdOrCtrl+1', click: () => navigate('/models') },
        { label: t('main.history'), accelerator: 'CmdOrCtrl+2', click: () => navigate('/history') },
        {
          label: t('main.search'),
          accelerator: 'CmdOrCtrl+K',
          registerAccelerator: false,
          click: () => command('spotlight'),
        },
      ],
    },
    {
      label: t('main.view'),
      submenu: [
        { role: 'resetZoom', label: t('main.zoom-reset') },
        { role: 'zoomIn', label: t('main.zoom-in') },
        { role: 'zoomOut', label: t('main.zoom-out') },
        { type: 'separator' },
        { role: 'togglefullscreen', label: t('main.fullscreen') },
        ...(developing ? [{ role: 'toggleDevTools', label: t('main.developer-tools') } as const] : []),
      ],
    },
  ];
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}

function appMenu(t: Label, settings: MenuItemConstructorOptions): MenuItemConstructorOptions {
  return {
    label: app.name,
    submenu: [
      { role: 'about', label: t('main.about') },
      { type: 'separator' },
      settings,
      { type: 'separator' },
      { role: 'hide', label: t('main.hide') },
      { role: 'quit', label: t('main.quit') },
    ],
  };
}

function editMenu(t: Label): MenuItemConstructorOptions {
  return {
    label: t('main.edit'),
    submenu: [
      { role: 'undo', label: t('main.undo') },
      { role: 'redo', label: t('main.redo') },
      { type: 'separator' },
      { role: 'cut', label: t('main.cut') },
      { role: 'copy', label: t('main.copy') },
      { role: 'paste', label: t('main.paste') },
      { role: 'selectAll', label: t('main.select-all') },
    ],
  };
}
