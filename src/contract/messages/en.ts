/**
 * Every sentence the engine can hand to a person, by code. `{{name}}` is filled from the error's or warning's params.
 * An error says what is wrong, where, and what to do about it.
 */
export const en = {
  // Checkpoints
  'checkpoint.not-a-folder': '{{path}} is not a folder. Give the folder that holds config.json and the weights.',
  'checkpoint.no-config': '{{path}} has no config.json. Give the folder of a Hugging Face checkpoint.',
  'checkpoint.no-weights':
    '{{path}} has no weights: neither model.safetensors nor pytorch_model.bin, nor an index of one of them. Give the folder of a checkpoint.',
  'checkpoint.dangling-link':
    '{{path}} is a link to {{target}}, which is not there. Download the file again, or give a folder whose files are whole.',
  'checkpoint.not-a-file': '{{path}} is not a file. Put the file with the weights in its place.',
  'checkpoint.lfs-pointer':
    '{{path}} is a Git LFS pointer, not the weights it stands for. Fetch them with: git lfs pull',
  'checkpoint.index-malformed':
    '{{path}} is not a valid index at byte {{offset}}: {{reason}}. Download the file again.',
  'checkpoint.index-duplicate': '{{path}} names the tensor "{{tensor}}" twice. Download the file again.',
  'checkpoint.index-too-large': '{{path}} has {{size}} bytes; an index may have {{limit}}. Download the file again.',
  'checkpoint.shard-name':
    '{{path}} puts the tensor "{{tensor}}" into "{{shard}}", which is not a plain file name. Shards lie beside the index: download the checkpoint again from a source you trust.',
  'checkpoint.shard-missing':
    '{{path}} is missing: {{index}} puts the tensor "{{tensor}}" into it. Download that file into the folder.',
  'checkpoint.tensor-not-in-shard':
    '{{path}} puts the tensor "{{tensor}}" into {{shard}}, which does not hold it. Download the index and its shards again, all from one version.',
  'checkpoint.tensor-in-two-shards':
    '{{path}} and {{other}} both hold the tensor "{{tensor}}". Download the index and its shards again, all from one version.',
  'checkpoint.too-short': '{{path}} has only {{size}} bytes, too few for a file of weights. Download the file again.',
  'checkpoint.header-beyond-file':
    '{{path}} announces a header of {{header}} bytes, but the file has only {{size}}. It is no safetensors file or was cut short: download it again.',
  'checkpoint.header-too-large':
    '{{path}} announces a header of {{header}} bytes; safetensors allows {{limit}}. Download the file again.',
  'checkpoint.header-not-utf8': 'The header of {{path}} is not UTF-8 at byte {{offset}}. Download the file again.',
  'checkpoint.header-not-json':
    'The header of {{path}} cannot be read as JSON at byte {{offset}}: {{reason}}. Download the file again.',
  'checkpoint.header-not-an-object': 'The header of {{path}} is not a JSON object of tensors. Download the file again.',
  'checkpoint.header-malformed':
    'The header of {{path}} is malformed in the entry "{{tensor}}" at byte {{offset}}: {{reason}}. Download the file again.',
  'checkpoint.duplicate-tensor': '{{path}} names the tensor "{{tensor}}" twice. Download the file again.',
  'checkpoint.unknown-dtype':
    'The tensor "{{tensor}}" of {{path}} has the unknown dtype "{{dtype}}". Download the file again, or save the model with a dtype safetensors knows.',
  'checkpoint.bad-dimension':
    'The tensor "{{tensor}}" of {{path}} has the dimension {{dimension}}, which is not a whole number from 0 up. Download the file again.',
  'checkpoint.shape-overflow':
    'The shape of the tensor "{{tensor}}" of {{path}} is larger than any file. Download the file again.',
  'checkpoint.part-of-a-byte':
    'The tensor "{{tensor}}" of {{path}} has {{bits}} bits, which is no whole number of bytes. Download the file again.',
  'checkpoint.size-mismatch':
    'The tensor "{{tensor}}" of {{path}} needs {{expected}} bytes by its shape and dtype, but its offsets give it {{actual}}. Download the file again.',
  'checkpoint.offsets-reversed':
    'The tensor "{{tensor}}" of {{path}} begins at byte {{begin}} of the data and ends before, at {{end}}. Download the file again.',
  'checkpoint.offsets-outside':
    'The tensor "{{tensor}}" of {{path}} ends at byte {{end}} of the data, but the file holds only {{size}}. The file was cut short: download it again.',
  'checkpoint.offsets-overlap':
    'The tensor "{{tensor}}" of {{path}} begins at byte {{offset}} of the data, inside the tensor "{{other}}". Download the file again.',
  'checkpoint.hole':
    'The {{bytes}} bytes of {{path}} from byte {{offset}} of the data up to the tensor "{{tensor}}" belong to no tensor. Download the file again.',
  'checkpoint.trailing-bytes':
    '{{path}} goes on for {{bytes}} bytes after its last tensor, which ends at byte {{offset}} of the data. Download the file again.',
  'checkpoint.no-tensor':
    '{{path}} holds no tensor "{{tensor}}". Check that the checkpoint is complete; tamis inspect lists its tensors.',
  'checkpoint.not-a-weight-dtype':
    'The tensor "{{tensor}}" of {{path}} has the dtype {{dtype}}, but weights are read as F32, F16 or BF16. Save the model in one of these.',
  'checkpoint.not-an-id-dtype':
    'The tensor "{{tensor}}" of {{path}} has the dtype {{dtype}}, but token ids are read as I64 or I32. Save them as one of these.',
  'checkpoint.integer-too-large':
    'The tensor "{{tensor}}" of {{path}} holds at position {{index}} an integer beyond 2^53, which is no token id. Write the file anew.',
  'checkpoint.bin-legacy':
    '{{path}} is in the format that PyTorch wrote before 1.6, which is not read. Convert it in Python with torch.save(torch.load("FILE", weights_only=True), "FILE"), or save the model with save_pretrained.',
  'checkpoint.bin-script':
    '{{path}} is a TorchScript archive: a program with its weights, which is not run. If you trust it, save the weights alone in Python with torch.save(torch.jit.load("FILE").state_dict(), "pytorch_model.bin").',
  'checkpoint.bin-not-an-archive':
    '{{path}} is not a file that torch.save has written: it does not begin as a ZIP archive. Download the file again.',
  'checkpoint.bin-no-pickle':
    '{{path}} is a ZIP archive without data.pkl, so torch.save has not written it. Download the file again, or save the model with save_pretrained.',
  'checkpoint.bin-byte-order':
    'The tensors of {{path}} have the byte order "{{order}}"; only little is read. Save the model again on a little-endian machine.',
  'checkpoint.zip-truncated':
    '{{path}} does not end as a ZIP archive does: it was cut short, or something was added to it. Download the file again.',
  'checkpoint.zip-directory':
    'The directory of the ZIP archive {{path}} is malformed at byte {{offset}}. Download the file again.',
  'checkpoint.zip-too-large':
    'The directory of the ZIP archive {{path}} announces {{entries}} entries or is too large; {{limit}} entries are read. Save the model in several files: save_pretrained does that.',
  'checkpoint.zip-entry':
    'The entry "{{entry}}" of the ZIP archive {{path}} does not lie where the directory says. Download the file again.',
  'checkpoint.zip-entry-name':
    'The entry "{{entry}}" of the ZIP archive {{path}} has a name that torch.save does not give: all entries lie in one folder. Download the file again from a source you trust.',
  'checkpoint.zip-compressed':
    'The entry "{{entry}}" of the ZIP archive {{path}} is compressed or encrypted; torch.save stores entries as they are. Save the model again in PyTorch.',
  'checkpoint.zip-overlap':
    'The entries "{{other}}" and "{{entry}}" of the ZIP archive {{path}} lie over each other. Download the file again from a source you trust.',
  'checkpoint.zip-duplicate':
    'The ZIP archive {{path}} has the entry "{{entry}}" twice. Download the file again from a source you trust.',
  'checkpoint.zip-checksum':
    'The entry "{{entry}}" of the ZIP archive {{path}} is damaged: its checksum is wrong. Download the file again.',
  'checkpoint.pickle-too-large':
    'data.pkl of {{path}} has {{size}} bytes; {{limit}} are read. Save the weights alone, for example with save_pretrained.',
  'checkpoint.pickle-truncated':
    'data.pkl of {{path}} ends within the opcode at byte {{offset}}. Download the file again.',
  'checkpoint.pickle-opcode':
    'data.pkl of {{path}} has the opcode {{opcode}} at byte {{offset}}, which tensors do not need, so it is not followed. Save the weights alone, for example with save_pretrained, or leave the file if you do not trust its source.',
  'checkpoint.pickle-global':
    'data.pkl of {{path}} asks for {{global}} at byte {{offset}}, which tensors do not need, so it is not run. Save the weights alone, for example with save_pretrained, or leave the file if you do not trust its source.',
  'checkpoint.pickle-malformed':
    'data.pkl of {{path}} uses the opcode {{opcode}} at byte {{offset}} in a way that torch.save does not for plain tensors. Save the weights alone, for example with save_pretrained, or download the file again.',
  'checkpoint.pickle-too-many':
    'data.pkl of {{path}} makes more than {{limit}} values at byte {{offset}}. Save the weights alone and in several files, for example with save_pretrained.',
  'checkpoint.bin-not-a-dict':
    '{{path}} holds a {{kind}}, but a checkpoint is a dict from names to tensors. Save model.state_dict(), or the model with save_pretrained.',
  'checkpoint.bin-not-a-tensor':
    'The entry "{{entry}}" of {{path}} is a {{kind}}, but a checkpoint is a dict from names to tensors. Save the state dict alone, as in torch.save(torch.load("FILE", weights_only=True)["model"], "pytorch_model.bin").',
  'checkpoint.bin-not-contiguous':
    'The tensor "{{tensor}}" of {{path}} does not lie row by row in the file: it was saved as a view of another. Save it as tensor.contiguous(), or the model with save_pretrained.',
  'checkpoint.bin-no-storage':
    '{{path}} has no entry "{{entry}}" with the bytes of the tensor "{{tensor}}". Download the file again.',
  'checkpoint.bin-storage-size':
    'The entry "{{entry}}" of {{path}} has {{size}} bytes, which are not the {{elements}} elements that it should hold for the tensor "{{tensor}}". Download the file again.',
  'checkpoint.bin-beyond-storage':
    'The tensor "{{tensor}}" of {{path}} needs {{bytes}} bytes from element {{offset}} of its storage on, which has only {{size}} bytes. Download the file again.',
  'pack.not-on-grid':
    'Row {{row}} of the layer {{layer}} in {{path}} holds a weight that its scales and zero points cannot make. The run folder is damaged or was changed: run the compression again.',
  'pack.shape':
    'The tensor "{{tensor}}" of {{path}} is {{actual}} where the format asks for {{expected}}. Write or download the file again.',
  'pack.group-index':
    'The tensor "{{tensor}}" of {{path}} puts column {{column}} into a group that does not exist. Write or download the file again.',
  'pack.value':
    'Row {{row}} of "{{tensor}}" in {{path}} holds a number that is not finite, or too large for the dtype of the weights. Write or download the file again.',
  'pack.too-large-for-dtype':
    'The tensor "{{tensor}}" of {{path}} holds numbers that are too large for {{dtype}}. Choose a format that keeps the dtype of the weights.',
  'pack.outside':
    '{{path}} has {{size}} bytes, but {{bytes}} bytes from byte {{offset}} on are said to belong to a tensor. Write or download the file again.',
  'archive.not-an-archive':
    '{{path}} is not a .tamis archive. Give a file that `tamis export --format tamis` has written.',
  'archive.version':
    '{{path}} is a .tamis archive of version {{version}}, which this version of Tamis does not know. Install a newer one.',
  'archive.truncated': '{{path}} has no end: it was not copied or downloaded as a whole. Copy or download it again.',
  'archive.damaged': 'The section "{{section}}" of {{path}} is damaged. Copy or download the file again.',
  'archive.no-section': '{{path}} has no section "{{section}}". Copy or download the file again.',

  // Recipes
  'recipe.invalid':
    'The recipe is not valid at {{field}}: {{reason}}. Change it; tamis recipe prints a valid one with all its fields.',

  // Texts
  'texts.not-found': '{{path}} does not exist. Give a .txt, .jsonl or .parquet file, or a folder of them.',
  'texts.unreadable': '{{path}} cannot be read ({{reason}}). Check its permissions.',
  'texts.extension':
    '{{path}} is not a .txt, .jsonl or .parquet file. Convert it, or give token ids with --calibration-tokens or --evaluation-tokens.',
  'texts.none-in-folder':
    '{{path}} holds no .txt, .jsonl or .parquet file. Subfolders are not searched: name the folder that holds the files.',
  'texts.empty-file': '{{path}} holds no text. Remove it from the data or replace it.',
  'texts.not-utf8': '{{path}} is not UTF-8 at line {{line}}. Convert the file to UTF-8.',
  'texts.not-json':
    '{{path}} has no JSON at line {{line}}. Every line must be an object with a text field, such as {"text": "…"}.',
  'texts.no-text-field':
    '{{path}} has no text field that is a string at line {{line}}. Every line must be an object such as {"text": "…"}.',
  'texts.no-column':
    '{{path}} has no text column of strings, only {{columns}}. Rename the column that holds the texts to text.',
  'texts.no-text-row': '{{path}} has no text in row {{row}}. Remove the rows whose text is null.',
  'texts.bad-parquet': '{{path}} cannot be read as Parquet: {{reason}}. Download or export it again.',
  'texts.too-large':
    '{{path}} makes a single text of more than {{megabytes}} MiB. Split it: one document a line in a .jsonl for calibration, a smaller file for evaluation.',

  // Tokenizers and token ids
  'tokenizer.missing':
    '{{path}} has no tokenizer.json, nor vocab.json with merges.txt. Add the tokenizer of the model, or give token ids with --calibration-tokens and --evaluation-tokens.',
  'tokenizer.invalid':
    '{{path}} cannot be used as a tokenizer: {{reason}}. Download it again, or give token ids with --calibration-tokens and --evaluation-tokens.',
  'tokenizer.unsupported':
    '{{path}} cuts text in a way that is not known here, and its ids could differ from those that the model was trained with: {{part}}. Give token ids with --calibration-tokens and --evaluation-tokens.',
  'tokenizer.sentencepiece':
    '{{path}} is a SentencePiece model alone. Make a tokenizer.json of it with transformers: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER).',
  'tokenizer.vocabulary':
    '{{path}} is neither the vocabulary of OPT, whose </s> has the id 2, nor that of GPT-2, which has <|endoftext|>. Add the tokenizer.json of the model.',
  'tokenizer.beyond-vocabulary':
    'The tokenizer gives the id {{id}}, but the model knows only {{vocab}} ids. Use the tokenizer that belongs to this checkpoint.',
  'tokens.no-tensor': '{{path}} has no int64 tensor named tokens. Save the token ids under that name.',
  'tokens.shape':
    'The tensor tokens of {{path}} has the shape {{shape}}. Save it as [n] or, for calibration, [sequences, seqlen].',
  'tokens.out-of-range':
    'The tensor tokens of {{path}} has {{id}} at position {{position}}, but the model knows the ids 0 up to, not including, {{vocab}}. Make the token ids with the tokenizer of this model.',

  // Calibration and evaluation data
  'calibration.too-short':
    'The calibration data holds {{tokens}} tokens, fewer than one sequence of {{seqlen}}. Give more text, or a smaller calibration.seqlen.',
  'calibration.seqlen':
    '{{path}} holds sequences of {{found}} tokens, but calibration.seqlen is {{seqlen}}. Set calibration.seqlen to {{found}}.',
  'calibration.nothing-held-back':
    'The calibration data holds no sequences beyond the {{sequences}} that the run is calibrated on: sensitivities and schedules are measured on the last {{last}} of those. Give more data, or take fewer sequences.',
  'calibration.fewer-sequences':
    '{{path}} holds {{found}} calibration sequences, not the {{wanted}} that were asked for: all of them are used.',
  'calibration.concatenated':
    'Only {{long}} of {{documents}} calibration documents have {{seqlen}} tokens or more, too few for {{sequences}} separate sequences: all documents were concatenated.',
  'evaluation.too-short':
    'The evaluation data {{dataset}} holds {{tokens}} tokens, fewer than one window of {{seqlen}}. Give more text, or a smaller evaluation.seqlen.',

  // Schedules
  'schedule.out-of-reach':
    "The target sparsity {{target}} is out of the scheduler's reach, from {{least}} to {{most}}. Change sparsity, or scheduler.min and scheduler.max.",
  'schedule.groups':
    'scheduler.groups is {{groups}}, but only {{layers}} layers are to be pruned. Give {{layers}} or fewer, or 0 for a group each.',
  'schedule.beta':
    'scheduler.beta is {{beta}}, but with {{blocks}} blocks and a target sparsity of {{target}} it may not pass ±{{largest}}. Choose a smaller one.',
  'schedule.trial-not-finite':
    'The trial of the schedule {{schedule}} came to values that are not finite: it was not taken.',
  'schedule-file.not-an-object':
    '{{path}} is not a JSON object from layer names to sparsities. Write it as {"model.decoder.layers.0.fc1": 0.7, …}.',
  'schedule-file.unknown-layer':
    '{{path}} names the layer {{layer}}, which is not among those to be pruned. Remove it; tamis inspect lists the layers.',
  'schedule-file.missing-layer':
    '{{path}} gives no sparsity for the layer {{layer}}. Add it; 0 leaves a layer as it is.',
  'schedule-file.value':
    '{{path}} gives {{value}} for the layer {{layer}}. A sparsity is a number from 0 up to, not including, 1.',

  // Files, recipes, runs
  'file.not-readable': '{{path}} cannot be read: {{reason}}. Check that the file is there and that you may read it.',
  'file.not-writable': '{{path}} cannot be written: {{reason}}. Choose another folder or change its permissions.',
  'file.no-space':
    'There is no space left for {{path}}. Free some space; a run that was begun goes on with: tamis resume DIR',
  'file.not-json': '{{path}} is not valid JSON: {{reason}}. Mend the file or write it anew.',
  'file.wrong-shape':
    '{{path}} is damaged at {{field}}: {{reason}}. Restore the file, or start the run anew in another folder.',
  'checkpoint.not-finite':
    '{{path}}: the tensor {{name}} holds a value that is not a finite number (entry {{index}}). Download the checkpoint again, or take another one.',
  'recipe.no-calibration':
    'This method or scheduler looks at calibration data, and the recipe names none. Give --calibration PATH or --calibration-tokens FILE.',
  'recipe.target-with-nm':
    'sparsity and nm exclude each other: an n:m pattern fixes the sparsity. Leave one of --sparsity and --nm out.',
  'recipe.dense-without-data':
    'A layer pruned by {{method}} looks at no data, so it has no dense targets. Leave out --targets, or choose another method.',
  'recipe.scheduler-with-nm':
    "The scheduler {{scheduler}} and nm exclude each other: an n:m pattern fixes every layer's sparsity. Leave one of --scheduler and --nm out.",
  'recipe.target-with-file':
    'sparsity and a file of sparsities exclude each other: the file fixes the mean. Leave one of --sparsity and --scheduler file out.',
  'recipe.fit-with-nm':
    'fit and nm exclude each other: an n:m pattern fixes the sparsity. Leave one of --fit-size or --fit-perplexity, and --nm out.',
  'recipe.fit-with-file':
    'fit and a file of sparsities exclude each other: the file fixes every sparsity. Leave one of --fit-size or --fit-perplexity, and --scheduler file out.',
  'recipe.fit-without-evaluation':
    'A perplexity to come to is one on a dataset, and the recipe evaluates on none. Give --evaluation PATH or --evaluation-tokens FILE; the first dataset counts.',
  'fit.dense-above':
    'A perplexity of {{goal}} cannot be reached: that of the dense model is already {{dense}} on {{dataset}}. Give a larger one.',
  'fit.perplexity-above':
    'A perplexity of {{goal}} cannot be reached: with only {{sparsity}} % pruned it is already {{value}}. Give a larger one, or more bits.',
  'fit.perplexity-below':
    'A perplexity of {{goal}} is not reached: even with {{sparsity}} % pruned it is only {{value}}. Take that model, or give a smaller one.',
  'fit.size-above':
    'A size of {{goal}} MB cannot be reached: even with {{sparsity}} % pruned the packed model takes {{value}} MB or more. Give a larger one, or fewer bits.',
  'fit.size-below':
    'A size of {{goal}} MB is not reached: even with only {{sparsity}} % pruned the packed model takes no more than {{value}} MB. Give a smaller one, or more bits.',
  'fit.attempts':
    'The goal of {{goal}} was not reached in {{attempts}} attempts: the nearest, with {{sparsity}} % pruned, came to {{value}}, {{off}} % off. Begin from there with --sparsity and a new --out, or take that model.',
  'fit.other-attempt':
    '{{path}} holds a run of other settings, and an attempt of this command is to go there. Choose another --out, or delete that folder.',
  'recipe.seqlen-too-long':
    '{{field}} is {{seqlen}}, but the model takes at most {{limit}} tokens. Set it to {{limit}} or less.',
  'recipe.too-many-blocks':
    'blocks is {{blocks}}, but the model has {{limit}}. Give --blocks {{limit}} or less, or leave it out.',
  'recipe.pattern-does-not-divide':
    'nm: a pattern of {{n}} of {{m}} does not divide the {{cols}} columns of {{layer}}. Choose an m that divides {{cols}}.',
  'recipe.act-order-without-sweep':
    'actOrder sorts columns by calibration data, and {{method}} rounds weights without looking at it. Take --method sparsegpt or admm, or leave --act-order out.',
  'recipe.act-order-with-nm':
    'actOrder and nm exclude each other: sorted columns are no neighbours in a row. Leave one of --act-order and --nm out.',
  'recipe.exception-without-layers':
    'quantization.exceptions: no layer of this model matches {{pattern}}. Write whole names with * for any characters; one of them is {{example}}.',
  'quantization.uneven-groups':
    'The {{cols}} columns of {{layer}}, and of the others of its type, are no multiple of {{groupSize}}: the last group of each row is shorter. Few clients take that; see what an export offers.',
  'calibration.not-finite':
    'Calibration sequence {{sample}} gave a value that is not finite at the input of {{layer}}. Check the checkpoint, or calibrate on other text.',
  'calibration.held-back-not-finite':
    'A sequence held back from the calibration gave a probability that is not finite. Check the checkpoint, or calibrate on other text.',
  'factor.failed':
    'The Hessian of {{layer}} is not positive definite, even with more damping. Give more or other calibration data, or raise --percdamp.',
  'factor.damped': '{{layer}}: the Hessian needed more damping ({{damping}}, after {{retries}} retries).',
  'evaluation.vocabularies':
    'The two models have vocabularies of {{one}} and {{other}} tokens, so their probabilities cannot be compared. Compare models that share a tokenizer.',
  'evaluation.not-finite': 'The perplexity on {{dataset}} is not a finite number. Check the checkpoint.',
  'run.exists':
    '{{path}} exists already and is not empty. Give another --out, or continue the run in it with: tamis resume {{path}}',
  'run.not-a-run': '{{path}} is not a run directory: it has no recipe.json and state/. Give the --out folder of a run.',
  'run.not-finished': 'The run in {{path}} is not finished. Continue it with: tamis resume {{path}}',
  'run.locked': '{{path}} is in use by another Tamis process. Wait for it to end, or stop it.',
  'run.changed-recipe':
    'The recipe of the run in {{path}} has changed since it began. Put recipe.json back as it was, or start a new run.',
  'run.changed-sparsities':
    'The file of sparsities of the run in {{path}} has changed since it began. Put it back as it was, or start a new run.',
  'run.changed-model':
    'The model of the run in {{path}} has changed since it began. Put its files back as they were, or start a new run.',
  'run.changed-calibration':
    'The calibration data of the run in {{path}} has changed since it began. Put it back as it was, or start a new run.',
  'run.changed-evaluation':
    'The evaluation data of the run in {{path}} has changed since it began. Put it back as it was, or start a new run.',
  'run.changed-engine':
    'The run in {{path}} was begun by another version of Tamis, on another processor or GPU, with another driver or other threads. Go on where it was begun, or start a new run.',
  'numeric.not-finite': "Row {{row}} of a layer's input is not finite. Check the checkpoint.",
  'factor.not-positive-definite':
    'A Hessian is not positive definite, even with more damping. Give more or other calibration data.',

  // Command line
  'cli.no-evaluation': 'There is nothing to evaluate on. Give --evaluation PATH or --evaluation-tokens FILE.',
  'cli.flag-of-scheduler':
    '{{flag}} needs a scheduler that has it ({{schedulers}}), and here it is {{scheduler}}. Name one with --scheduler, or leave {{flag}} out.',
  'cli.flag-without-bits':
    '{{flag}} is about quantized weights, and nothing is quantized here. Add --bits, or leave {{flag}} out.',
  'cli.two-corpora': '{{one}} and {{other}} exclude each other. Leave one of them out.',
  'cli.two-datasets': 'Two datasets are called {{name}}. Rename one of the files or folders.',
  'cli.compare-one': 'compare puts runs side by side: name at least two run directories.',

  // config.json, devices and the files of a run
  'bench.too-long':
    'Prompt and generation come to {{tokens}} tokens, but the model takes at most {{limit}}. Give less with --prompt and --generate.',
  'checkpoint.dtype':
    'The tensor {{name}} has the dtype {{dtype}}, but layers are read as F32, F16 or BF16. Save the model in one of these.',
  'checkpoint.mixed-dtypes':
    'The tensor {{name}} has the dtype {{dtype}}, but the layers before it have {{expected}}. Save the model with one dtype for all its layers.',
  'checkpoint.tensor-missing':
    "{{path}} holds no tensor {{name}}, which the model's config.json asks for. Download the checkpoint again, config.json and weights from one version.",
  'checkpoint.tensor-shape':
    'The tensor {{name}} has the shape {{shape}}, but config.json asks for {{expected}}. Download config.json and the weights again, from one version.',
  'checkpoint.two-drives':
    '{{one}} and {{other}} have no folder in common. Put the run and the checkpoint on one drive.',
  'config.not-json': '{{path}} is not a JSON object. Download config.json again.',
  'config.unknown-family':
    '{{path}} says model_type {{type}}, which Tamis does not know. Take a model of one of these: {{known}}.',
  'config.quantized':
    '{{path}} has a quantization_config: the checkpoint is quantized already. Take the original checkpoint in F32, F16 or BF16.',
  'config.experts':
    '{{path}} has {{field}}: the model is a mixture of experts, which Tamis does not compress. Take a dense model.',
  'config.field': '{{path}} is not valid at {{field}}: {{reason}}. Download config.json again, or correct it.',
  'config.activation':
    'config.json asks for the activation function {{value}}, which Tamis does not compute. Take a model with one of these: {{known}}.',
  'config.heads':
    'config.json says hidden_size {{hidden}}, which num_attention_heads {{heads}} does not divide. Download config.json again, or correct it.',
  'config.kv-heads':
    'config.json says num_attention_heads {{heads}}, which num_key_value_heads {{kvHeads}} does not divide. Download config.json again, or correct it.',
  'config.rope-factors':
    'config.json gives {{count}} numbers as {{field}}, but each head has {{expected}} pairs of entries that turn. Download config.json again, or correct it.',
  'config.rope-pairs':
    'By config.json {{turned}} entries of each head turn by their position, which make no pairs. Download config.json again, or correct it.',
  'config.rope-partial':
    'By config.json only {{turned}} of the {{size}} entries of each head turn by their position, which this family does not know. Take a model without partial_rotary_factor.',
  'config.rope':
    'config.json asks for rotary positions of the type {{type}}, which Tamis does not know. Take a model with one of these: {{known}}.',
  'device.not-built-in':
    'The onnxruntime for {{platform}} has no support for {{device}}. Choose another --device; tamis devices lists those that work.',
  'device.failed':
    'The device {{device}} does not run this model: {{reason}}. Choose another --device; tamis devices lists and tests them.',
  'gpu.not-used':
    'The GPU {{adapter}} does not work: {{reason}}. The CPU does its work. Update its driver; tamis devices tests it.',
  'gpu.layers-on-cpu':
    'Layers {{layers}} are too large for the GPU {{gpu}}, or pruned in a pattern that it does not know: the CPU compresses them.',
  'device.given-up':
    '{{device}} was lost in the step {{step}}: {{reason}}. The CPU did that step anew, and all further ones.',
  'cuda.platform': 'CUDA is there on linux/x64 alone, and this is {{platform}}. Choose another device.',
  'cuda.no-driver':
    'There is no NVIDIA driver ({{path}} is missing). Install the driver of the NVIDIA GPU and start the computer anew, or choose another device.',
  'cuda.old-driver':
    'The NVIDIA driver has the version {{version}}, but CUDA {{cuda}} needs {{oldest}} or newer. Update the driver.',
  'cuda.no-provider':
    "onnxruntime's CUDA provider is missing ({{files}} in {{path}}). Fetch it in the settings of the window, or with: tamis devices --fetch-cuda",
  'cuda.no-libraries':
    "onnxruntime's CUDA provider needs {{libraries}}, which the system does not find. Install CUDA {{cuda}} from the system's packages or from NVIDIA, or name the libraries' folder in LD_LIBRARY_PATH.",
  'cuda.about-to-fetch':
    'The install script of onnxruntime-node {{version}} fetches its CUDA provider from NuGet, about {{mebibytes}} MiB, and Tamis puts it into {{path}}. CUDA itself is not part of it.',
  'cuda.not-asked':
    'There is no terminal to ask on whether to fetch the CUDA provider. Add --yes to fetch it without being asked.',
  'cuda.fetch-failed':
    'The CUDA provider was not fetched: {{reason}}. Nothing was changed. Check the network and try again.',
  'gpu.no-adapter':
    'There is no GPU {{adapter}} that Tamis can compute on. Install its driver (Vulkan, Metal or DirectX 12), or choose another; tamis devices lists them.',
  'gpu.not-usable':
    'The GPU {{adapter}} cannot be opened: {{reason}}. Update its driver, or choose another; tamis devices lists them.',
  'gpu.lost':
    'The GPU {{adapter}} was lost: {{reason}}. Its driver was reset or it was taken away. Resume the run; without --no-cpu-fallback the CPU would have gone on.',
  'gpu.out-of-memory':
    'The GPU {{adapter}} has too little memory. End other programs that use it and resume the run; without --no-cpu-fallback the CPU would have gone on.',
  'gpu.failed':
    'The GPU {{adapter}} refused a computation: {{reason}}. Update its driver, or choose another device; tamis devices lists them.',
  'gpu.too-large':
    'A matrix of {{size}} bytes is too large for the GPU {{adapter}}, which takes up to {{limit}}. Compress this layer on the CPU.',
  'gpu.pattern':
    'The GPU prunes n of every m weights for m up to {{limit}}, not {{m}}. Compress this layer on the CPU, or choose another pattern.',
  'evaluation.seqlen':
    'evaluation.seqlen is {{seqlen}}, but the model takes at most {{limit}} tokens. Set it to {{limit}} or less.',
  'export.no-genai-config':
    '{{path}} has no genai_config.json: it is not an ONNX export. Take the folder that tamis export wrote.',
  'file.wrong-size':
    '{{path}} has {{bytes}} bytes where {{expected}} are expected. Start the run anew in another folder.',

  // Plans
  'plan.memory':
    'The stage {{stage}} needs about {{needed}} MiB of memory, and {{free}} MiB are free. Close other programs, or run it on a machine with more memory.',
  'memory.layer':
    'The Hessian and factor of {{layer}} take {{own}} MiB: with what else is held then, the stage {{stage}} needs {{needed}} MiB, and the memory budget is {{budget}} MiB. Give it more (--memory), or run it on a machine with more memory.',
  'memory.weights':
    'The weights of {{layer}} take {{own}} MiB while it is compressed: with what else is held then, the stage {{stage}} needs {{needed}} MiB, and the memory budget is {{budget}} MiB. Give it more (--memory), or run it on a machine with more memory.',
  'memory.block':
    'The weights of a block and its forward pass take {{own}} MiB: with what else is held then, the stage {{stage}} needs {{needed}} MiB, and the memory budget is {{budget}} MiB. Give it more (--memory), or take shorter sequences.',
  'memory.vocabulary':
    "The vocabulary's matrix and the logits take {{own}} MiB: with what else is held then, the stage {{stage}} needs {{needed}} MiB, and the memory budget is {{budget}} MiB. Give it more (--memory), or leave the evaluation out.",
  'memory.text':
    'A text that is tokenized whole takes {{own}} MiB meanwhile: with what else is held then, {{needed}} MiB are needed, and the memory budget is {{budget}} MiB. Give it more (--memory), or cut the text into smaller files.',
  'memory.process':
    'The process itself and the token ids take {{own}} MiB: with what else is held, the stage {{stage}} needs {{needed}} MiB, and the memory budget is {{budget}} MiB. Give it more (--memory).',
  'plan.busy':
    'Other programs are using the processor: the times were measured beside them. Make the plan again when they have ended.',
  'plan.disk':
    'The run needs about {{needed}} MiB for {{path}}, and {{free}} MiB are free there. Free some space, or choose another --out.',
  'plan.search-disk':
    'If all {{attempts}} attempts are needed, they take about {{needed}} MiB for {{path}} together, and {{free}} MiB are free there. Free some space, choose another --out, or delete attempts that missed meanwhile.',

  // The application
  'bridge.foreign-frame': 'A page that is not part of Tamis asked for something and was refused. Restart Tamis.',
  'bridge.unknown-request':
    'The window asked for {{name}}, which does not exist. Restart Tamis; if it happens again, please report it.',
  'bridge.invalid': 'The window asked for {{name}} in a way that is not valid: {{reason}}. Please report it as a bug.',
  'engine.lost': 'The engine ended while it was answering. Try again; the log in Settings says more.',
  'engine.crashed':
    'The engine of this run crashed (exit code {{exitCode}}). Resume goes on from the last finished block; Copy diagnostics collects what is known.',
  'engine.killed':
    'The process of this run was killed from outside, possibly because memory ran out. Resume goes on from the last finished block.',
  'engine.out-of-memory':
    'The system ended this run because memory ran out. Close other programs or take fewer or shorter calibration sequences, then resume: it goes on from the last finished block.',
  'engine.not-started': 'The engine could not be started. Install Tamis again; the log in Settings says more.',
  'engine.lost-run':
    'Tamis ended while this run was going on, and nobody saw how the run ended. Resume goes on from the last finished block.',
  'run.busy': '{{name}} is running or waiting to run. Pause or cancel it first.',
  'export.not-finished': '{{name}} is not finished, so there is nothing to export yet. Resume it first.',
  'export.exists': '{{path}} is not empty. Choose a new or an empty folder.',
  'export.no-space':
    'The export needs {{needed}} MiB, and {{free}} MiB are free at {{path}}. Free some space or choose another folder.',
  'export.incomplete': '{{path}} does not match its source after copying. Check the disk and export again.',

  'export.no-evaluation':
    'The recipe of the run in {{path}} names no evaluation data, so what is written cannot be measured on it. Leave the check out; tamis eval measures the files on other data.',
  'export.not-quantized':
    '{{format}} holds quantized layers, and this run has none. Compress the model with --bits first.',
  'export.bits':
    '{{format}} takes layers of {{known}} bits, and {{layer}} has {{bits}}. Choose another format, or other --bits.',
  'export.scattered':
    '{{format}} takes groups of neighbouring columns only, and act-order has scattered those of {{layer}}. Choose gptq, or quantize with --static-groups.',
  'export.transposed':
    '{{format}} knows weights of linear modules only, and {{layer}} is of another kind (Conv1D, [in, out]), which programs would leave unread. Choose another format.',
  'export.part-of-a-word':
    '{{format}} packs codes into words of 32 bits, which {{rows}} rows and {{cols}} columns of {{bits}} bits do not fill: {{layer}}. Choose another format.',
  'export.zero-point':
    'gptq stores zero points less one, and {{layer}} has one that is 0. Choose gptq_v2, or quantize with --symmetric.',
  'export.family': 'llama.cpp has no {{family}}. Choose another format.',
  'export.asymmetric-pruned':
    'GGUF has no asymmetric codes in which a pruned weight is exactly zero, and {{layer}} is pruned. Choose another format, or quantize with --symmetric.',
  'export.asymmetric-bits':
    'GGUF has asymmetric codes of up to 4 bits, and {{layer}} has {{bits}}. Choose another format, or quantize with --symmetric.',
  'export.tensor': '{{format}} has no place for the tensor {{name}}. Choose another format.',
  'export.block-columns': '{{format}} takes columns by {{block}}, and {{layer}} has {{cols}}. Choose another format.',
  'export.setting':
    'llama.cpp, which reads GGUF, does not compute what config.json says of {{field}}: {{value}}. Choose another format.',
  'export.tokenizer':
    'GGUF needs the tokenizer in its own terms, and {{path}} is of a kind that is not known here: {{reason}}. Choose another format.',
  'export.no-tokenizer':
    'The model has no tokenizer.json: the file gets no vocabulary, and programs can feed it token ids only.',
  'export.dense-size':
    'Dense storage is as large as the original: neither zeros nor codes of few bits make it smaller. It loads everywhere.',
  'export.slow-bits':
    'onnxruntime has fast products of codes on the CPU for 4 bits only, in which 3 are stored too: with {{layer}} at {{bits}} bits, expect tokens to come several times slower than from the dense model.',
  'export.zero-points':
    'compressed-tensors 0.20 fails on zero points where transformers loads the folder as it is: load it with CompressedTensorsConfig(dequantize=True), as the lines of the export do, or quantize symmetrically.',
  'export.conv1d':
    'transformers 5.23 does not load packed modules in the place of {{layer}} (Conv1D); GPTQModel does: load it with GPTQModel.load.',
  'export.channel-kernel':
    'The kernel that GPTQModel chooses on a CPU for 4 bits takes groups of at most {{columns}} columns, and {{layer}} shares a scale over a whole row: load it with backend="gptq_torch", or quantize in groups.',
  'export.dynamic':
    'Not all layers have the same bits. That is said in a field of GPTQModel (dynamic), which vLLM reads too; other programs may not load the folder.',
  'export.zeros-stay': 'Zeros are stored like other weights: they make the file no smaller and nothing faster.',
  'export.group-size': 'Some kernels, of vLLM for one, do not take groups of {{size}} columns; all take 128.',
  'export.group-columns':
    'Some kernels, of vLLM for one, want columns in whole groups: {{layer}} has {{cols}}, no multiple of {{size}}.',
  'gguf.malformed': '{{path}} is not a GGUF file of Tamis, or is damaged at byte {{offset}}. Write the export again.',
  'unpack.not-an-export':
    '{{path}} is no export of Tamis: it has neither tamis.json nor model.tamis. A dense folder needs no unpacking; give the folder of another format.',

  // The history, the library and the settings of the application
  'history.newer':
    '{{path}} was written by a newer Tamis: it has format {{version}}, and this one knows formats up to {{known}}. Install the newer Tamis again; the file was left as it is.',
  'history.read-only':
    '{{path}} is read-only, so no run can be recorded. Give your user permission to write it and its folder, then start Tamis again.',
  'history.no-access':
    '{{path}} cannot be opened. Give your user permission to read and write it and its folder, then start Tamis again.',
  'history.full':
    'There is no space left to write {{path}}. Free some space and try again; runs that have finished are safe in their folders.',
  'history.locked': 'Another program is writing {{path}}. Close it and try again.',
  'history.damaged':
    '{{path}} is damaged. Start Tamis again: the history is then rebuilt from the folders of the runs.',
  'history.failed': '{{path}} could not be used ({{reason}}). Check the drive it lies on, then start Tamis again.',
  'history.rebuilt':
    'The history in {{path}} was damaged and has been rebuilt from the folders of the runs. The damaged file was kept as {{aside}}. Folders elsewhere that are missing from the list can be imported again.',
  'history.folders-skipped':
    'Folders of runs that could not be read are missing from the history: {{count}}, among them {{path}}. Repair or remove them; importing one says what is wrong with it.',
  'history.no-run': 'The run is not in the history any more. Go back to the list.',
  'settings.damaged':
    '{{path}} was damaged: the settings begin anew with their defaults. The damaged file was kept as {{aside}}.',
  'model.unknown': 'The model is not in the library any more. Add its folder again.',
  'model.demo-stays': 'The demo model comes with Tamis and stays in the library.',
  'model.listed': '{{path}} is in the library already. Choose another folder.',
  'run.foreign-folder':
    '{{path}} also holds the folder {{name}}, which is not part of the run. Move that somewhere else first.',
  'storage.exists': '{{path}} exists already. Choose another folder, or move that one away.',
  'storage.inside': '{{path}} lies inside the folder that is to be moved. Choose a folder outside of it.',
  'storage.no-space':
    'Moving the runs to {{path}} takes {{needed}} MiB, and {{free}} MiB are free there. Free some space, or choose another drive.',
  'storage.copy-differs':
    '{{path}} reads differently from what was written to it. The runs stay where they were; check that drive, or choose another.',
  'path.not-granted':
    '{{path}} was neither chosen nor dropped here, so it is not read. Choose the file or folder again.',

  // The hub
  'hub.name':
    '{{text}} is not the name of a repository. Give it as OWNER/NAME, as its page on the hub has it: facebook/opt-125m.',
  'hub.revision': '{{text}} is not a revision. Give the name of a branch or a tag, or a commit.',
  'hub.endpoint':
    '{{text}} is not the address of a hub. Give one that begins with https:// and has no user, query or fragment in it.',
  'hub.token': 'The token in {{place}} has characters that no token has. Copy it again from the settings of the hub.',
  'hub.no-token':
    '{{host}} does not show this without a token: the model is private or gated, or the name is wrong. Check the name; ask for access on the page of the model; then put a token that may read it into HF_TOKEN or into the settings of Tamis.',
  'hub.no-access':
    '{{host}} does not show this to the owner of the token: the model is private or gated, or the name is wrong. Check the name, ask for access on the page of the model, and see that the token may read it.',
  'hub.insecure':
    '{{host}} asks for a token, and tokens are sent over https only. Give the endpoint with https://, or one on this machine.',
  'hub.not-found': '{{url}} does not exist. Check the name of the repository and the revision.',
  'hub.refused': '{{host}} refused the request (HTTP {{status}}). Check the name and the endpoint.',
  'hub.rate-limited':
    '{{host}} lets nothing more through for now, because too much was asked of it. Try again later; what was fetched is kept.',
  'hub.server': '{{host}} has trouble of its own (HTTP {{status}}). Try again later; what was fetched is kept.',
  'hub.no-connection':
    'No connection to {{host}}: {{reason}}. Check the network and the endpoint, then try again; what was fetched is kept.',
  'hub.stalled':
    '{{host}} has sent next to nothing for {{seconds}} s. Check the network, then try again; what was fetched is kept.',
  'hub.cut': 'The connection to {{host}} was cut in the middle of {{path}}. Try again; what was fetched is kept.',
  'hub.range': '{{host}} sent another part of {{path}} than was asked for. Try again, or give another --endpoint.',
  'hub.redirect':
    '{{host}} leads to {{to}}, which is not followed: too many steps, or an address that is not https. Give another --endpoint.',
  'hub.listing': '{{host}} does not answer like a hub: {{reason}}. Check the endpoint.',
  'hub.path':
    'The repository has a file with the name {{path}}, which leads out of its folder or could. Nothing was fetched; take the model from a source you trust.',
  'hub.no-config': '{{repository}} has no config.json. Choose the repository of a model in the format of transformers.',
  'hub.no-weights':
    '{{repository}} has neither safetensors nor PyTorch weights under their usual names. Choose the repository of a model in the format of transformers.',
  'hub.shard':
    '{{index}} names "{{shard}}", which the repository does not have as a plain file. Take the model from a source you trust.',
  'hub.folder': '{{path}} is not empty and was not begun by tamis pull. Choose a new or an empty folder.',
  'hub.other-repository': '{{path}} holds files of {{repository}}. Choose another folder.',
  'hub.no-space':
    'Another {{needed}} MiB are to be fetched, and {{free}} MiB are free at {{path}}. Free some space, or choose another folder.',
  'hub.length':
    '{{path}} comes with {{bytes}} bytes, twice, where the hub lists {{expected}}. Try again later, or give another --endpoint.',
  'hub.checksum':
    '{{path}} came with another content than the hub lists, twice: its checksum is wrong. It was thrown away; {{host}} or something on the way to it damages files. Try again later, or give another --endpoint.',
  'hub.moved':
    'The revision has moved from commit {{earlier}} to {{commit}} since this folder was begun: files that have changed are fetched anew.',
  'hub.going-on': '{{repository}} is being fetched. Pause or cancel that first.',
  'hub.no-pull': 'This download is not in the list any more. Add the model again.',

  // Anything else
  'cancelled.no-run': 'Cancelled: nothing was begun that could be continued. Start it again when you like.',
  'cancelled.pull': 'Stopped; what was fetched is kept. Go on with: tamis pull {{repository}}',
  'cancelled.fit':
    'The search was cancelled; its attempts are kept. Continue it with the same command: it goes on from the last finished block.',
  cancelled: 'The run was cancelled. Continue it with: tamis resume {{path}}',
  internal: 'Something went wrong inside Tamis: {{detail}}. This is a bug; please report it with the log of the run.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof en;
