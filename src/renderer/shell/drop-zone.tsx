import { Overlay, Text } from '@mantine/core';
import { IconFolderPlus } from '@tabler/icons-react';
import { useEffect, useEffectEvent, useState, type ReactElement } from 'react';

import { useAddModels } from '../add/add-models.ts';
import { useLabel } from '../words.tsx';

const bringsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

/** The whole window takes folders of models. */
export function DropZone(): ReactElement | null {
  const t = useLabel();
  const { drop } = useAddModels();
  const [over, setOver] = useState(false);
  const onDrop = useEffectEvent((event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) drop(files);
  });
  useEffect(() => {
    const onOver = (event: DragEvent): void => {
      // Without this the page would open what is dropped.
      event.preventDefault();
      setOver(bringsFiles(event));
    };
    const onLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const hearDrop = (event: DragEvent): void => onDrop(event);
    window.addEventListener('dragover', onOver);
    window.addEventListener('dragleave', onLeave);
    window.addEventListener('drop', hearDrop);
    return () => {
      window.removeEventListener('dragover', onOver);
      window.removeEventListener('dragleave', onLeave);
      window.removeEventListener('drop', hearDrop);
    };
  }, []);
  if (!over) return null;
  return (
    <Overlay fixed center className="drop-zone" blur={2} zIndex={1000}>
      <IconFolderPlus size={48} aria-hidden="true" />
      <Text size="lg">{t('app.drop')}</Text>
    </Overlay>
  );
}
