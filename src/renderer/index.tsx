import './jitless.ts';

import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/table.css';
import './styles/chart.css';
import './styles/models.css';
import './styles/new.css';
import './styles/settings.css';
import './styles/run.css';

// Its own chunk: the schemas of the contract are made when it is loaded, after `jitless.ts` has run.
const { mount } = await import('./app.tsx');
mount();
