import { z } from 'zod';

// zod looks whether it may compile code; the page's content security policy forbids that and would report it.
z.config({ jitless: true });
