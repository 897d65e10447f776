import { contextBridge, ipcRenderer, webUtils } from 'electron';

import { CHANNEL, DROP_CHANNEL, type Answer, type Bridge, type Push } from '../contract/channel.ts';

/** The page's only way out: names and plain data through one channel. The schemas are checked on both ends of it. */
const listeners = new Set<(push: Push) => void>();

ipcRenderer.on(CHANNEL, (_event, push: Push) => {
  for (const listener of listeners) listener(push);
});

const bridge: Bridge = {
  invoke: (name, input) => ipcRenderer.invoke(CHANNEL, name, input) as Promise<Answer<unknown>>,
  on: (name, listener) => {
    const hear = (push: Push): void => {
      if (push.name === name) listener(push.value);
    };
    listeners.add(hear);
    return () => void listeners.delete(hear);
  },
  drop: (purpose, files) => {
    const paths = files.map((file) => webUtils.getPathForFile(file)).filter((path) => path !== '');
    return ipcRenderer.invoke(DROP_CHANNEL, purpose, paths) as Promise<Answer<string[]>>;
  },
};

contextBridge.exposeInMainWorld('tamis', bridge);
