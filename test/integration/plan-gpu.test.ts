import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { planSchema, type Plan } from '../../src/contract/plan.ts';
import { softwareGpu } from '../../scripts/software-gpu.mjs';
import { demoTexts } from '../fixtures/demo-texts.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { reportOf, succeed, tamis } from './helpers.ts';
