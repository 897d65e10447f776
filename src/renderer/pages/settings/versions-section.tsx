import { Anchor, Button, Loader, Text } from '@mantine/core';
import { IconCopy } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { links } from '../../../contract/bridge.ts';
import { useBoot } from '../../boot.tsx';
import { FailureView } from '../../components/failure-view.tsx';
import { useCopy } from '../../ask/copy.ts';
import { useAct, useAsk } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import { Section } from '../../components/section.tsx';

/** Versions of Tamis and what it is built on, its sources and licences. */
export function VersionsSection(): ReactElement {
  const t = useLabel();
  const copy = useCopy();
  const { version } = useBoot();
  const { data, error } = useAsk('app.versions', null);
  const { mutate: open } = useAct('app.open-link');
  const all = { Tamis: version, ...data };
  return (
    <Section title={t('settings.about')}>
      {error && <FailureView failure={error} />}
      <dl className="model-facts">
        {Object.entries(all).map(([name, each]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{each}</dd>
          </div>
        ))}
      </dl>
      {!data && !error && <Loader size="sm" aria-label={t('app.loading')} />}
      <div className="choice">
        <Button
          variant="default"
          leftSection={<IconCopy size={14} />}
          onClick={() =>
            copy(
              Object.entries(all)
                .map((pair) => pair.join(' '))
                .join('\n'),
            )
          }
        >
          {t('settings.copy-versions')}
        </Button>
      </div>
      <Text size="sm">
        {t('settings.papers')}{' '}
        {links.map((link) => (
          <Anchor key={link} component="button" type="button" size="sm" mr="sm" onClick={() => open({ link })}>
            {t(`settings.link.${link}`)}
          </Anchor>
        ))}
      </Text>
      <Text size="sm" c="dimmed">
        {t('settings.licences')}
      </Text>
    </Section>
  );
}
