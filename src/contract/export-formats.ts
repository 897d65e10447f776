import { shellQuote } from './words.ts';

/** How a program loads an export. */
export interface Snippet {
  /** The program or library, as it calls itself. */
  readonly client: string;
  readonly language: 'python' | 'javascript' | 'shell';
  readonly code: string;
}

/** The large file of a format, from the export's folder; the other formats are loaded as folders. */
export const exportFiles = {
  onnx: 'onnx/model.onnx',
  gguf: 'model.gguf',
  tamis: 'model.tamis',
} as const;

interface FormatClients {
  /** What a client finds on the hub under this name. */
  readonly library: string;
  /** The lines that load an export in each of its clients. `path`: its folder. */
  readonly snippets: (path: string) => readonly Snippet[];
}

/** What a finished run can be written as (docs/formats.md), in the order in which it is offered, and who loads it. */
export const formatClients = {
  dense: { library: 'transformers', snippets: (path) => [transformers(path)] },
  gptq: { library: 'transformers', snippets: (path) => [gptqModel(path), transformers(path), vllm(path)] },
  gptq_v2: { library: 'gptqmodel', snippets: (path) => [gptqModel(path)] },
  'compressed-tensors': {
    library: 'transformers',
    snippets: (path) => [transformersDequantized(path), vllm(path)],
  },
  onnx: { library: 'transformers.js', snippets: (path) => [onnxruntime(path), genai(path), transformersJs(path)] },
  gguf: { library: 'gguf', snippets: (path) => [llamaCpp(path), nodeLlamaCpp(path)] },
  tamis: { library: 'tamis', snippets: (path) => [tamis(path)] },
} as const satisfies Readonly<Record<string, FormatClients>>;

function transformers(folder: string): Snippet {
  return {
    client: 'transformers',
    language: 'python',
    code: `from transformers import AutoModelForCausalLM, AutoTokenizer

folder = ${quote(folder)}
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")`,
  };
}

/** Left packed, as is the default, compressed-tensors 0.20 refuses zero points, also those that it has written itself. */
function transformersDequantized(folder: string): Snippet {
  return {
    client: 'transformers',
    language: 'python',
    code: `from transformers import AutoModelForCausalLM, AutoTokenizer, CompressedTensorsConfig

folder = ${quote(folder)}
tokenizer = AutoTokenizer.from_pretrained(folder)
config = CompressedTensorsConfig(dequantize=True)
model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", quantization_config=config)`,
  };
}

function gptqModel(folder: string): Snippet {
  return {
    client: 'GPTQModel',
    language: 'python',
    code: `from gptqmodel import GPTQModel

model = GPTQModel.load(${quote(folder)})
print(model.tokenizer.decode(model.generate("Hello")[0]))`,
  };
}

function vllm(folder: string): Snippet {
  return { client: 'vLLM', language: 'shell', code: `vllm serve ${shellQuote(folder)}` };
}

function onnxruntime(folder: string): Snippet {
  return {
    client: 'onnxruntime',
    language: 'python',
    code: `import onnxruntime

session = onnxruntime.InferenceSession(${quote(fileIn(folder, exportFiles.onnx))})
print([(each.name, each.shape) for each in session.get_inputs()])`,
  };
}

function genai(folder: string): Snippet {
  return {
    client: 'onnxruntime-genai',
    language: 'python',
    code: `import onnxruntime_genai as og

model = og.Model(${quote(folder)})
tokenizer = og.Tokenizer(model)`,
  };
}

function transformersJs(folder: string): Snippet {
  const { parent, name } = parted(folder);
  return {
    client: 'transformers.js',
    language: 'javascript',
    code: `import { env, pipeline } from '@huggingface/transformers';

env.localModelPath = ${quote(parent)};
const generate = await pipeline('text-generation', ${quote(name)}, { dtype: 'fp32' });`,
  };
}

function llamaCpp(folder: string): Snippet {
  return {
    client: 'llama.cpp',
    language: 'shell',
    code: `llama-cli -m ${shellQuote(fileIn(folder, exportFiles.gguf))} -p Hello`,
  };
}

function nodeLlamaCpp(folder: string): Snippet {
  return {
    client: 'node-llama-cpp',
    language: 'javascript',
    code: `import { getLlama } from 'node-llama-cpp';

const llama = await getLlama();
const model = await llama.loadModel({ modelPath: ${quote(fileIn(folder, exportFiles.gguf))} });`,
  };
}

function tamis(folder: string): Snippet {
  return {
    client: 'Tamis',
    language: 'shell',
    code: `tamis unpack ${shellQuote(folder)} --out NEW_FOLDER`,
  };
}

/** A text in double quotes, as Python and JavaScript both read it. */
function quote(text: string): string {
  return JSON.stringify(text);
}

function separatorOf(folder: string): string {
  return /^([A-Za-z]:)?\\/.test(folder) ? '\\' : '/';
}

function fileIn(folder: string, file: string): string {
  const separator = separatorOf(folder);
  return [folder, ...file.split('/')].join(separator);
}

function parted(folder: string): { parent: string; name: string } {
  const cut = folder.lastIndexOf(separatorOf(folder));
  return { parent: folder.slice(0, cut + 1), name: folder.slice(cut + 1) };
}
