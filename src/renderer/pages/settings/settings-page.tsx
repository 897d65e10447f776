import { NumberInput, SegmentedControl, Select } from '@mantine/core';
import type { ReactElement, ReactNode } from 'react';

import { devices } from '../../../contract/recipe/fields.ts';
import { languages, themes } from '../../../contract/settings.ts';
import { useBoot, useSettings } from '../../boot.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { useLabel } from '../../words.tsx';
import { Section } from '../../components/section.tsx';
import { GpuSelect } from '../../components/gpu-select.tsx';
import { DevicesSection } from './devices-section.tsx';
import { HubSection } from './hub-section.tsx';
import { StorageSection } from './storage-section.tsx';
import { useSet } from './use-set.ts';
import { VersionsSection } from './versions-section.tsx';

export function SettingsPage(): ReactElement {
  const t = useLabel();
  return (
    <>
      <PageHeader title={t('settings.title')} />
      <div className="page-body">
        <div className="settings">
          <AppearanceSection />
          <RunsSection />
          <HubSection />
          <DevicesSection />
          <StorageSection />
          <VersionsSection />
        </div>
      </div>
    </>
  );
}

function AppearanceSection(): ReactElement {
  const t = useLabel();
  const set = useSet();
  const { language, theme } = useSettings();
  return (
    <Section title={t('settings.appearance')}>
      <Choice label={t('settings.language')}>
        <SegmentedControl
          size="xs"
          aria-label={t('settings.language')}
          data={languages.map((value) => ({ value, label: t(`settings.language.${value}`) }))}
          value={language}
          onChange={(value) => set({ language: value })}
        />
      </Choice>
      <Choice label={t('settings.theme')}>
        <SegmentedControl
          size="xs"
          aria-label={t('settings.theme')}
          data={themes.map((value) => ({ value, label: t(`settings.theme.${value}`) }))}
          value={theme}
          onChange={(value) => set({ theme: value })}
        />
      </Choice>
    </Section>
  );
}

function Choice({ label, children }: { label: string; children: ReactNode }): ReactElement {
  return (
    <div className="choice">
      <span>{label}</span>
      {children}
    </div>
  );
}

/** What new runs start from. */
function RunsSection(): ReactElement {
  const t = useLabel();
  const set = useSet();
  const { device, gpu, threads, memory } = useSettings();
  const { threads: all } = useBoot();
  return (
    <Section title={t('settings.new-runs')} text={t('settings.new-runs-text')}>
      <div className="field-row">
        <Select
          label={t('field.device')}
          data={devices.map((value) => ({ value, label: t(`device.${value}`) }))}
          value={device}
          onChange={(value) => value && set({ device: value })}
          allowDeselect={false}
        />
        <GpuSelect label={t('field.gpu')} value={gpu} onChange={(value) => set({ gpu: value })} />
        <NumberInput
          label={t('field.threads')}
          placeholder={t('new.all-threads', { threads: all })}
          value={threads ?? ''}
          min={1}
          max={1024}
          allowDecimal={false}
          clampBehavior="strict"
          onChange={(value) => set({ threads: typeof value === 'number' ? value : null })}
        />
        <NumberInput
          label={t('field.memory-budget')}
          placeholder={t('new.free-memory')}
          value={memory === null ? '' : memory / 2 ** 30}
          min={0.25}
          clampBehavior="blur"
          onChange={(value) =>
            set({ memory: typeof value === 'number' && value > 0 ? Math.round(value * 2 ** 30) : null })
          }
        />
      </div>
    </Section>
  );
}
