import { z } from 'zod';

import { TamisError } from './errors.ts';
import { failureSchema } from './failure.ts';

/** Where models come from unless a mirror is named. */
export const hubEndpoint = 'https://huggingface.co';

/** OWNER/NAME. */
export const repositoryPattern = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;
/** A branch, a tag or a commit. */
export const revisionPattern = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/;
/** What an HTTP header can carry. */
export const tokenPattern = /^[\x21-\x7e]{1,1000}$/;

export const repositorySchema = z.string().regex(repositoryPattern);
export const revisionSchema = z.string().max(200).regex(revisionPattern);
export const endpointSchema = z.string().min(1).max(1000);
export const tokenSchema = z.string().regex(tokenPattern);

/** The address of a hub or its mirror. Error: hub.endpoint. */
export function parseEndpoint(text: string): URL {
  const bare = text.trim().replace(/\/+$/, '');
  const url = URL.canParse(bare) ? new URL(bare) : null;
  const isPlain = url !== null && [url.username, url.password, url.search, url.hash].every((part) => part === '');
  if (!isPlain || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new TamisError('hub.endpoint', { text });
  return url;
}

/** The folder of a repository's files, inside of another. */
export function repositoryFolder(repository: string): string {
  return repository.replace('/', '--');
}

/** What is to be fetched, and where to. */
export const pullTaskSchema = z.strictObject({
  repository: repositorySchema,
  revision: revisionSchema,
  endpoint: endpointSchema,
  /** null = the one that the hub's own programs keep, if there is one. */
  token: tokenSchema.nullable(),
  /** New, empty, or the folder of an earlier pull of the same repository. */
  folder: z.string().min(1),
});
export type PullTask = z.infer<typeof pullTaskSchema>;

/** What a pull will fetch, as the hub lists it. */
export const pullPlanSchema = z.strictObject({
  /** That the revision stands for now: every file is of it. */
  commit: z.string(),
  /** That the folder was last fetched from, where that is another one. */
  earlier: z.string().nullable(),
  files: z.array(
    z.strictObject({
      path: z.string(),
      bytes: z.int(),
      /** Bytes that are in the folder already. */
      kept: z.int(),
    }),
  ),
  bytes: z.int(),
  /** Still to be fetched. */
  missingBytes: z.int(),
  /** Left on the folder's file system. */
  freeBytes: z.int(),
});
export type PullPlan = z.infer<typeof pullPlanSchema>;

/** What a pull is about: the list of files, those that are there already, or those that are not. */
export const pullStages = ['list', 'check', 'download'] as const;
export type PullStage = (typeof pullStages)[number];

export const pullProgressSchema = z.strictObject({
  stage: z.enum(pullStages),
  /** Bytes of all files. */
  done: z.number(),
  total: z.number(),
  /** The rate of the last seconds; null before anything is known. */
  bytesPerSecond: z.number().nullable(),
  remainingSeconds: z.number().nullable(),
  /** What went wrong for now, and the seconds until it is tried again. */
  waiting: z.strictObject({ seconds: z.number(), reason: failureSchema }).nullable(),
});
export type PullProgress = z.infer<typeof pullProgressSchema>;

export const pullResultSchema = z.strictObject({
  folder: z.string(),
  commit: z.string(),
  files: z.int(),
  bytes: z.int(),
  /** Fetched this time. */
  fetchedBytes: z.int(),
});
export type PullResult = z.infer<typeof pullResultSchema>;

/** What of a pull lies in its folder as `tamis-pull.json`, beside the files. */
export const pullRecordName = 'tamis-pull.json';
export const pullRecordSchema = z.strictObject({
  repository: repositorySchema,
  revision: revisionSchema,
  commit: z.string(),
  /** Whether all files of the commit have been fetched. */
  complete: z.boolean(),
  /** Every name that a pull has written here. */
  files: z.array(z.string()),
});
export type PullRecord = z.infer<typeof pullRecordSchema>;

/** What is told of a pull while it goes on. */
export const pullUpdateSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('plan'), plan: pullPlanSchema }),
  z.strictObject({ kind: z.literal('progress'), progress: pullProgressSchema }),
]);

/** A pull of the application; one that is finished is a model of the library instead. */
export const downloadSchema = z.strictObject({
  id: z.string(),
  repository: repositorySchema,
  revision: revisionSchema,
  folder: z.string(),
  state: z.discriminatedUnion('kind', [
    /** null before anything is known of it. */
    z.strictObject({ kind: z.literal('going-on'), progress: pullProgressSchema.nullable() }),
    z.strictObject({ kind: z.literal('paused') }),
    z.strictObject({ kind: z.literal('failed'), failure: failureSchema }),
  ]),
  /** Bytes, as far as they are known. */
  done: z.number(),
  total: z.number(),
  /** The revision had moved when it was taken up last. */
  moved: z.strictObject({ earlier: z.string(), commit: z.string() }).nullable(),
});
export type Download = z.infer<typeof downloadSchema>;

/** Where the hub's token is kept: nowhere, encrypted by the system's keyring, or in memory until the application ends. */
export const tokenPlaces = ['none', 'keyring', 'session'] as const;
export type TokenPlace = (typeof tokenPlaces)[number];
