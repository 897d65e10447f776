import type { ErrorCode } from './en.ts';

/** The same sentences in Traditional Chinese as written in Taiwan. */
export const zhTW: Readonly<Record<ErrorCode, string>> = {
  'checkpoint.not-a-folder': '{{path}} 不是資料夾。請指定含有 config.json 與權重檔案的資料夾。',
  'checkpoint.no-config': '{{path}} 裡沒有 config.json。請指定 Hugging Face 檢查點的資料夾。',
  'checkpoint.no-weights':
    '{{path}} 裡沒有權重：沒有 model.safetensors，也沒有 pytorch_model.bin 或兩者的索引。請指定檢查點的資料夾。',
  'checkpoint.dangling-link':
    '{{path}} 是指向 {{target}} 的連結，但該檔案不存在。請重新下載該檔案，或指定檔案完整的資料夾。',
  'checkpoint.not-a-file': '{{path}} 不是檔案。請在該位置放入權重檔案。',
  'checkpoint.lfs-pointer': '{{path}} 只是 Git LFS 指標檔，不是權重本身。請執行：git lfs pull',
  'checkpoint.index-malformed': '{{path}} 在第 {{offset}} 位元組處不是有效的索引：{{reason}}。請重新下載該檔案。',
  'checkpoint.index-duplicate': '{{path}} 重複列出張量「{{tensor}}」。請重新下載該檔案。',
  'checkpoint.index-too-large': '{{path}} 有 {{size}} 位元組，索引最多只能有 {{limit}} 位元組。請重新下載該檔案。',
  'checkpoint.shard-name':
    '{{path}} 將張量「{{tensor}}」放在「{{shard}}」，但那不是單純的檔名。分片必須與索引位於同一資料夾：請從可信任的來源重新下載檢查點。',
  'checkpoint.shard-missing': '缺少 {{path}}：{{index}} 指出張量「{{tensor}}」在該檔案中。請將該檔案下載到資料夾中。',
  'checkpoint.tensor-not-in-shard':
    '{{path}} 指出張量「{{tensor}}」在 {{shard}} 中，但該分片並沒有這個張量。請重新下載同一版本的索引與所有分片。',
  'checkpoint.tensor-in-two-shards':
    '{{path}} 與 {{other}} 都含有張量「{{tensor}}」。請重新下載同一版本的索引與所有分片。',
  'checkpoint.too-short': '{{path}} 只有 {{size}} 位元組，不足以構成權重檔案。請重新下載該檔案。',
  'checkpoint.header-beyond-file':
    '{{path}} 宣告的檔頭有 {{header}} 位元組，但檔案只有 {{size}} 位元組。它不是 safetensors 檔案，或下載不完整：請重新下載。',
  'checkpoint.header-too-large':
    '{{path}} 宣告的檔頭有 {{header}} 位元組，safetensors 最多允許 {{limit}} 位元組。請重新下載該檔案。',
  'checkpoint.header-not-utf8': '{{path}} 的檔頭在第 {{offset}} 位元組處不是 UTF-8。請重新下載該檔案。',
  'checkpoint.header-not-json': '{{path}} 的檔頭在第 {{offset}} 位元組處無法讀成 JSON：{{reason}}。請重新下載該檔案。',
  'checkpoint.header-not-an-object': '{{path}} 的檔頭不是由張量組成的 JSON 物件。請重新下載該檔案。',
  'checkpoint.header-malformed':
    '{{path}} 檔頭中的項目「{{tensor}}」在第 {{offset}} 位元組處格式不正確：{{reason}}。請重新下載該檔案。',
  'checkpoint.duplicate-tensor': '{{path}} 重複列出張量「{{tensor}}」。請重新下載該檔案。',
  'checkpoint.unknown-dtype':
    '{{path}} 的張量「{{tensor}}」的 dtype「{{dtype}}」不明。請重新下載該檔案，或以 safetensors 支援的 dtype 儲存模型。',
  'checkpoint.bad-dimension':
    '{{path}} 的張量「{{tensor}}」有一個維度為 {{dimension}}，不是 0 以上的整數。請重新下載該檔案。',
  'checkpoint.shape-overflow': '{{path}} 的張量「{{tensor}}」的形狀大過任何檔案。請重新下載該檔案。',
  'checkpoint.part-of-a-byte': '{{path}} 的張量「{{tensor}}」有 {{bits}} 位元，不是整數個位元組。請重新下載該檔案。',
  'checkpoint.size-mismatch':
    '{{path}} 的張量「{{tensor}}」依形狀與 dtype 需要 {{expected}} 位元組，但位移只給了 {{actual}} 位元組。請重新下載該檔案。',
  'checkpoint.offsets-reversed':
    '{{path}} 的張量「{{tensor}}」從資料的第 {{begin}} 位元組開始，卻在更前面的第 {{end}} 位元組結束。請重新下載該檔案。',
  'checkpoint.offsets-outside':
    '{{path}} 的張量「{{tensor}}」在資料的第 {{end}} 位元組結束，但檔案只有 {{size}} 位元組的資料。檔案不完整：請重新下載。',
  'checkpoint.offsets-overlap':
    '{{path}} 的張量「{{tensor}}」從資料的第 {{offset}} 位元組開始，與張量「{{other}}」重疊。請重新下載該檔案。',
  'checkpoint.hole':
    '{{path}} 從資料的第 {{offset}} 位元組起、到張量「{{tensor}}」之前的 {{bytes}} 位元組不屬於任何張量。請重新下載該檔案。',
  'checkpoint.trailing-bytes':
    '{{path}} 的最後一個張量在資料的第 {{offset}} 位元組結束，之後還多出 {{bytes}} 位元組。請重新下載該檔案。',
  'checkpoint.no-tensor': '{{path}} 裡沒有張量「{{tensor}}」。請確認檢查點是否完整；tamis inspect 會列出其中的張量。',
  'checkpoint.not-a-weight-dtype':
    '{{path}} 的張量「{{tensor}}」的 dtype 是 {{dtype}}，但權重只能讀取 F32、F16 或 BF16。請以其中一種儲存模型。',
  'checkpoint.not-an-id-dtype':
    '{{path}} 的張量「{{tensor}}」的 dtype 是 {{dtype}}，但 token id 只能讀取 I64 或 I32。請以其中一種儲存。',
  'checkpoint.integer-too-large':
    '{{path}} 的張量「{{tensor}}」在位置 {{index}} 的整數超過 2^53，不可能是 token id。請重新產生該檔案。',
  'checkpoint.bin-legacy':
    '{{path}} 是 PyTorch 1.6 之前的格式，無法讀取。請在 Python 中以 torch.save(torch.load("FILE", weights_only=True), "FILE") 轉換，或以 save_pretrained 儲存模型。',
  'checkpoint.bin-script':
    '{{path}} 是 TorchScript 封存檔，也就是帶有權重的程式，不會被執行。若信任它，請在 Python 中以 torch.save(torch.jit.load("FILE").state_dict(), "pytorch_model.bin") 只儲存權重。',
  'checkpoint.bin-not-an-archive': '{{path}} 不是 torch.save 寫出的檔案：開頭不是 ZIP 封存檔。請重新下載該檔案。',
  'checkpoint.bin-no-pickle':
    '{{path}} 是沒有 data.pkl 的 ZIP 封存檔，因此不是 torch.save 寫出的。請重新下載該檔案，或以 save_pretrained 儲存模型。',
  'checkpoint.bin-byte-order':
    '{{path}} 的張量位元組順序是「{{order}}」，只能讀取 little。請在 little-endian 的機器上重新儲存模型。',
  'checkpoint.zip-truncated': '{{path}} 的結尾不是 ZIP 封存檔的結尾：檔案不完整，或後面多了內容。請重新下載該檔案。',
  'checkpoint.zip-directory': 'ZIP 封存檔 {{path}} 的目錄在第 {{offset}} 位元組處格式不正確。請重新下載該檔案。',
  'checkpoint.zip-too-large':
    'ZIP 封存檔 {{path}} 的目錄宣告有 {{entries}} 個項目，或目錄過大；最多讀取 {{limit}} 個項目。請將模型儲存為數個檔案：save_pretrained 會這麼做。',
  'checkpoint.zip-entry': 'ZIP 封存檔 {{path}} 的項目「{{entry}}」不在目錄所說的位置。請重新下載該檔案。',
  'checkpoint.zip-entry-name':
    'ZIP 封存檔 {{path}} 的項目「{{entry}}」的名稱不是 torch.save 會取的：所有項目都在同一個資料夾中。請從可信任的來源重新下載該檔案。',
  'checkpoint.zip-compressed':
    'ZIP 封存檔 {{path}} 的項目「{{entry}}」經過壓縮或加密，但 torch.save 會原樣儲存項目。請在 PyTorch 中重新儲存模型。',
  'checkpoint.zip-overlap':
    'ZIP 封存檔 {{path}} 的項目「{{other}}」與「{{entry}}」互相重疊。請從可信任的來源重新下載該檔案。',
  'checkpoint.zip-duplicate': 'ZIP 封存檔 {{path}} 的項目「{{entry}}」出現兩次。請從可信任的來源重新下載該檔案。',
  'checkpoint.zip-checksum': 'ZIP 封存檔 {{path}} 的項目「{{entry}}」已損壞：校驗碼不符。請重新下載該檔案。',
  'checkpoint.pickle-too-large':
    '{{path}} 的 data.pkl 有 {{size}} 位元組，最多讀取 {{limit}} 位元組。請只儲存權重，例如以 save_pretrained。',
  'checkpoint.pickle-truncated': '{{path}} 的 data.pkl 在第 {{offset}} 位元組的指令中途結束。請重新下載該檔案。',
  'checkpoint.pickle-opcode':
    '{{path}} 的 data.pkl 在第 {{offset}} 位元組有指令 {{opcode}}，張量用不到它，因此不會執行。請只儲存權重，例如以 save_pretrained；若不信任來源，請勿使用該檔案。',
  'checkpoint.pickle-global':
    '{{path}} 的 data.pkl 在第 {{offset}} 位元組要求 {{global}}，張量用不到它，因此不會執行。請只儲存權重，例如以 save_pretrained；若不信任來源，請勿使用該檔案。',
  'checkpoint.pickle-malformed':
    '{{path}} 的 data.pkl 在第 {{offset}} 位元組使用指令 {{opcode}} 的方式，不是 torch.save 儲存一般張量的方式。請只儲存權重，例如以 save_pretrained，或重新下載該檔案。',
  'checkpoint.pickle-too-many':
    '{{path}} 的 data.pkl 到第 {{offset}} 位元組已產生超過 {{limit}} 個值。請只儲存權重並分成數個檔案，例如以 save_pretrained。',
  'checkpoint.bin-not-a-dict':
    '{{path}} 存的是 {{kind}}，但檢查點應是由名稱對應到張量的 dict。請儲存 model.state_dict()，或以 save_pretrained 儲存模型。',
  'checkpoint.bin-not-a-tensor':
    '{{path}} 的項目「{{entry}}」是 {{kind}}，但檢查點應是由名稱對應到張量的 dict。請只儲存 state dict，例如 torch.save(torch.load("FILE", weights_only=True)["model"], "pytorch_model.bin")。',
  'checkpoint.bin-not-contiguous':
    '{{path}} 的張量「{{tensor}}」在檔案中不是逐列連續存放：它是以另一個張量的檢視儲存的。請以 tensor.contiguous() 儲存，或以 save_pretrained 儲存模型。',
  'checkpoint.bin-no-storage': '{{path}} 沒有存放張量「{{tensor}}」位元組的項目「{{entry}}」。請重新下載該檔案。',
  'checkpoint.bin-storage-size':
    '{{path}} 的項目「{{entry}}」有 {{size}} 位元組，與張量「{{tensor}}」所需的 {{elements}} 個元素不符。請重新下載該檔案。',
  'checkpoint.bin-beyond-storage':
    '{{path}} 的張量「{{tensor}}」從儲存區的第 {{offset}} 個元素起需要 {{bytes}} 位元組，但儲存區只有 {{size}} 位元組。請重新下載該檔案。',
  'pack.not-on-grid':
    '{{path}} 中的層 {{layer}}，第 {{row}} 列含有其縮放值與零點無法產生的權重。執行資料夾已損壞或遭到更動：請重新壓縮。',
  'pack.shape': '{{path}} 的張量「{{tensor}}」為 {{actual}}，但此格式要求 {{expected}}。請重新寫出或下載該檔案。',
  'pack.group-index': '{{path}} 的張量「{{tensor}}」把第 {{column}} 欄歸入不存在的群組。請重新寫出或下載該檔案。',
  'pack.value':
    '{{path}} 中「{{tensor}}」的第 {{row}} 列含有非有限數，或超出權重 dtype 範圍的數值。請重新寫出或下載該檔案。',
  'pack.too-large-for-dtype':
    '{{path}} 的張量「{{tensor}}」含有超出 {{dtype}} 範圍的數值。請選擇保留權重 dtype 的格式。',
  'pack.outside':
    '{{path}} 只有 {{size}} 位元組，但據稱自第 {{offset}} 位元組起有 {{bytes}} 位元組屬於某個張量。請重新寫出或下載該檔案。',
  'archive.not-an-archive': '{{path}} 不是 .tamis 封存檔。請指定由 `tamis export --format tamis` 寫出的檔案。',
  'archive.version': '{{path}} 是第 {{version}} 版的 .tamis 封存檔，目前的 Tamis 無法辨識。請安裝較新的版本。',
  'archive.truncated': '{{path}} 沒有結尾：檔案未完整複製或下載。請重新複製或下載。',
  'archive.damaged': '{{path}} 的區段「{{section}}」已損壞。請重新複製或下載該檔案。',
  'archive.no-section': '{{path}} 沒有區段「{{section}}」。請重新複製或下載該檔案。',

  'recipe.invalid': '配方的 {{field}} 不正確：{{reason}}。請修改；tamis recipe 會印出含有所有欄位的有效配方。',

  'texts.not-found': '{{path}} 不存在。請指定 .txt、.jsonl 或 .parquet 檔案，或含有這些檔案的資料夾。',
  'texts.unreadable': '無法讀取 {{path}}（{{reason}}）。請檢查存取權限。',
  'texts.extension':
    '{{path}} 不是 .txt、.jsonl 或 .parquet 檔案。請先轉換格式，或以 --calibration-tokens、--evaluation-tokens 提供 token id。',
  'texts.none-in-folder': '{{path}} 裡沒有 .txt、.jsonl 或 .parquet 檔案。子資料夾不會搜尋，請指定檔案所在的資料夾。',
  'texts.empty-file': '{{path}} 裡沒有文字。請將它移出資料或換成別的檔案。',
  'texts.not-utf8': '{{path}} 第 {{line}} 行不是 UTF-8。請將檔案轉換為 UTF-8。',
  'texts.not-json': '{{path}} 第 {{line}} 行不是 JSON。每一行都必須是含有 text 欄位的物件，例如 {"text": "…"}。',
  'texts.no-text-field': '{{path}} 第 {{line}} 行沒有內容為字串的 text 欄位。每一行都必須是像 {"text": "…"} 的物件。',
  'texts.no-column': '{{path}} 沒有內容為字串的 text 欄，只有 {{columns}}。請將存放文字的欄改名為 text。',
  'texts.no-text-row': '{{path}} 第 {{row}} 列沒有文字。請移除 text 為 null 的列。',
  'texts.bad-parquet': '無法將 {{path}} 讀成 Parquet：{{reason}}。請重新下載或匯出。',
  'texts.too-large': '{{path}} 使單一文字超過 {{megabytes}} MiB。請拆分：校準用 .jsonl，每行一篇；評估則用較小的檔案。',

  'tokenizer.missing':
    '{{path}} 裡沒有 tokenizer.json，也沒有 vocab.json 與 merges.txt。請加入模型的 tokenizer，或以 --calibration-tokens 與 --evaluation-tokens 提供 token id。',
  'tokenizer.invalid':
    '無法將 {{path}} 當作 tokenizer 使用：{{reason}}。請重新下載，或以 --calibration-tokens 與 --evaluation-tokens 提供 token id。',
  'tokenizer.unsupported':
    '{{path}} 切分文字的方式未知，產生的 id 可能與模型訓練時不同：{{part}}。請以 --calibration-tokens 與 --evaluation-tokens 提供 token id。',
  'tokenizer.sentencepiece':
    '{{path}} 只有 SentencePiece 模型。請用 transformers 產生 tokenizer.json：AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)。',
  'tokenizer.vocabulary':
    '{{path}} 既不是 OPT 的詞彙表（其中 </s> 的 id 為 2），也不是 GPT-2 的詞彙表（其中有 <|endoftext|>）。請加入模型的 tokenizer.json。',
  'tokenizer.beyond-vocabulary':
    'tokenizer 產生了 id {{id}}，但模型只有 {{vocab}} 個 id。請使用屬於這個檢查點的 tokenizer。',
  'tokens.no-tensor': '{{path}} 裡沒有名為 tokens 的 int64 張量。請以這個名稱儲存 token id。',
  'tokens.shape': '{{path}} 的張量 tokens 形狀為 {{shape}}。請存成 [n]，校準用的也可以是 [sequences, seqlen]。',
  'tokens.out-of-range':
    '{{path}} 的張量 tokens 在位置 {{position}} 的值為 {{id}}，但模型的 id 從 0 到 {{vocab}}（不含）。請以此模型的 tokenizer 產生 token id。',

  'calibration.too-short':
    '校準資料只有 {{tokens}} 個 token，不足一段 {{seqlen}} 個 token 的序列。請提供更多文字，或調小 calibration.seqlen。',
  'calibration.seqlen':
    '{{path}} 的序列長度為 {{found}} 個 token，但 calibration.seqlen 為 {{seqlen}}。請將 calibration.seqlen 設為 {{found}}。',
  'calibration.nothing-held-back':
    '校準資料除了本次執行所用的 {{sequences}} 段序列之外沒有其他序列：敏感度與排程將在其中最後 {{last}} 段上測量。請提供更多資料，或減少序列數。',
  'calibration.fewer-sequences': '{{path}} 只有 {{found}} 段校準序列，少於要求的 {{wanted}} 段：將全部使用。',
  'calibration.concatenated':
    '{{documents}} 篇校準文件中只有 {{long}} 篇達到 {{seqlen}} 個 token，不足以分出 {{sequences}} 段序列：已將所有文件接在一起。',
  'evaluation.too-short':
    '評估資料 {{dataset}} 只有 {{tokens}} 個 token，不足一個 {{seqlen}} 個 token 的視窗。請提供更多文字，或調小 evaluation.seqlen。',

  'schedule.out-of-reach':
    '目標稀疏度 {{target}} 超出排程器可達的範圍 {{least}} 到 {{most}}。請調整 sparsity，或 scheduler.min 與 scheduler.max。',
  'schedule.groups':
    'scheduler.groups 為 {{groups}}，但要剪枝的只有 {{layers}} 層。請給 {{layers}} 以下的值，或用 0 讓每層自成一組。',
  'schedule.beta':
    'scheduler.beta 為 {{beta}}，但在 {{blocks}} 個區塊、目標稀疏度 {{target}} 之下，不可超過 ±{{largest}}。請選擇較小的值。',
  'schedule.trial-not-finite': '試用排程 {{schedule}} 時出現非有限數值：未採用。',
  'schedule-file.not-an-object':
    '{{path}} 不是由層名稱對應到稀疏度的 JSON 物件。請寫成 {"model.decoder.layers.0.fc1": 0.7, …}。',
  'schedule-file.unknown-layer':
    '{{path}} 列出了 {{layer}}，但要剪枝的層中沒有它。請移除；可用 tamis inspect 列出各層。',
  'schedule-file.missing-layer': '{{path}} 沒有給出 {{layer}} 的稀疏度。請補上；0 表示該層保持原樣。',
  'schedule-file.value': '{{path}} 給 {{layer}} 的值為 {{value}}。稀疏度必須是 0 以上、小於 1 的數字。',

  'file.not-readable': '無法讀取 {{path}}：{{reason}}。請確認檔案存在且您有讀取權限。',
  'file.not-writable': '無法寫入 {{path}}：{{reason}}。請選擇其他資料夾或變更權限。',
  'file.no-space': '沒有空間可寫入 {{path}}。請清出空間；已開始的執行可用 tamis resume DIR 繼續。',
  'file.not-json': '{{path}} 不是有效的 JSON：{{reason}}。請修正或重新產生該檔案。',
  'file.wrong-shape': '{{path}} 的 {{field}} 已損壞：{{reason}}。請還原檔案，或在另一個資料夾重新執行。',
  'checkpoint.not-finite':
    '{{path}}：張量 {{name}} 含有非有限數值（第 {{index}} 項）。請重新下載檢查點，或改用其他檢查點。',
  'recipe.no-calibration':
    '此方法或排程器需要校準資料，但配方沒有指定。請提供 --calibration PATH 或 --calibration-tokens FILE。',
  'recipe.target-with-nm': 'sparsity 與 nm 不能同時使用：n:m 樣式已決定稀疏度。請移除 --sparsity 或 --nm 其中之一。',
  'recipe.dense-without-data': '{{method}} 不看資料，因此各層沒有稠密目標。請省略 --targets，或改用其他方法。',
  'recipe.scheduler-with-nm':
    '排程器 {{scheduler}} 與 nm 不能同時使用：n:m 樣式已決定每一層的稀疏度。請移除 --scheduler 或 --nm 其中之一。',
  'recipe.target-with-file':
    'sparsity 與稀疏度檔案不能同時使用：檔案已決定平均值。請移除 --sparsity 或 --scheduler file 其中之一。',
  'recipe.fit-with-nm':
    'fit 與 nm 不能並用：n:m 樣式已決定稀疏度。請只保留 --fit-size 或 --fit-perplexity，或只保留 --nm。',
  'recipe.fit-with-file':
    'fit 與稀疏度檔案不能並用：檔案已決定每一層的稀疏度。請只保留 --fit-size 或 --fit-perplexity，或只保留 --scheduler file。',
  'recipe.fit-without-evaluation':
    '要達到的困惑度須在某個資料集上測量，但設定檔沒有評估資料。請提供 --evaluation PATH 或 --evaluation-tokens FILE，以第一個資料集為準。',
  'fit.dense-above': '無法達到困惑度 {{goal}}：稠密模型在 {{dataset}} 上已是 {{dense}}。請給較大的值。',
  'fit.perplexity-above':
    '無法達到困惑度 {{goal}}：只剪去 {{sparsity}} % 時已是 {{value}}。請給較大的值，或較多的位元。',
  'fit.perplexity-below':
    '未能達到困惑度 {{goal}}：即使剪去 {{sparsity}} % 也只有 {{value}}。請採用該模型，或給較小的值。',
  'fit.size-above':
    '無法達到大小 {{goal}} MB：即使剪去 {{sparsity}} %，壓縮封裝後仍至少有 {{value}} MB。請給較大的值，或較少的位元。',
  'fit.size-below':
    '未能達到大小 {{goal}} MB：只剪去 {{sparsity}} % 時，壓縮封裝後也不超過 {{value}} MB。請給較小的值，或較多的位元。',
  'fit.attempts':
    '試了 {{attempts}} 次仍未達到目標 {{goal}}：最接近的一次剪去 {{sparsity}} %，結果為 {{value}}，相差 {{off}} %。可用 --sparsity 與新的 --out 從該處重新開始，或採用該模型。',
  'fit.other-attempt': '{{path}} 中是設定不同的執行，而此指令的一次嘗試要寫到該處。請選擇其他 --out，或刪除該資料夾。',
  'recipe.seqlen-too-long': '{{field}} 為 {{seqlen}}，但模型最多接受 {{limit}} 個 token。請指定 {{limit}} 或更小的值。',
  'recipe.too-many-blocks':
    'blocks 為 {{blocks}}，但模型只有 {{limit}} 個區塊。請指定 {{limit}} 或更小的值，或不指定。',
  'recipe.pattern-does-not-divide':
    'nm：{{n}}:{{m}} 樣式無法整除 {{layer}} 的 {{cols}} 欄。請選擇可整除 {{cols}} 的 m。',
  'calibration.not-finite': '校準序列 {{sample}} 在 {{layer}} 的輸入產生非有限數值。請檢查檢查點，或改用其他校準文字。',
  'calibration.held-back-not-finite': '校準時未使用的某段序列產生非有限的機率。請檢查檢查點，或改用其他校準文字。',
  'factor.failed': '{{layer}} 的 Hessian 即使增加阻尼仍非正定。請提供更多或其他校準資料，或提高 --percdamp。',
  'factor.damped': '{{layer}}：Hessian 需要更大的阻尼（{{damping}}，重試 {{retries}} 次）。',
  'evaluation.vocabularies':
    '兩個模型的詞彙表分別有 {{one}} 與 {{other}} 個 token，其機率無法比較。請比較使用相同分詞器的模型。',
  'evaluation.not-finite': '{{dataset}} 的困惑度不是有限數值。請檢查檢查點。',
  'run.exists': '{{path}} 已存在且不是空資料夾。請指定其他 --out，或以 tamis resume {{path}} 繼續其中的執行。',
  'recipe.act-order-without-sweep':
    'actOrder 依校準資料排序各行，而 {{method}} 只做捨入、不看資料。請改用 --method sparsegpt 或 admm，或移除 --act-order。',
  'recipe.act-order-with-nm':
    'actOrder 與 nm 不能同時使用：排序後的各行不再相鄰。請移除 --act-order 或 --nm 其中之一。',
  'recipe.exception-without-layers':
    'quantization.exceptions：此模型沒有符合 {{pattern}} 的層。請寫完整名稱，以 * 代表任意字元；例如 {{example}}。',
  'quantization.uneven-groups':
    '{{layer}}（及同種類的其他層）的 {{cols}} 行不是 {{groupSize}} 的倍數：每列的最後一個群組較短。接受這種格式的用戶端不多，請查看匯出選項。',
  'run.not-a-run': '{{path}} 不是執行目錄：缺少 recipe.json 與 state/。請指定某次執行的 --out 資料夾。',
  'run.not-finished': '{{path}} 的執行尚未完成。請以 tamis resume {{path}} 繼續。',
  'run.locked': '{{path}} 正由另一個 Tamis 程序使用。請等它結束，或將它停止。',
  'run.changed-recipe': '{{path}} 的配方自執行開始後已變更。請還原 recipe.json，或開始新的執行。',
  'run.changed-sparsities': '{{path}} 的稀疏度檔案自執行開始後已變更。請還原，或開始新的執行。',
  'run.changed-model': '{{path}} 的模型自執行開始後已變更。請還原其檔案，或開始新的執行。',
  'run.changed-calibration': '{{path}} 的校準資料自執行開始後已變更。請還原，或開始新的執行。',
  'run.changed-evaluation': '{{path}} 的評估資料自執行開始後已變更。請還原，或開始新的執行。',
  'run.changed-engine':
    '{{path}} 的執行是由其他版本的 Tamis、其他處理器或 GPU、其他驅動程式或不同的執行緒數開始的。請在原環境繼續，或開始新的執行。',
  'numeric.not-finite': '某層輸入的第 {{row}} 列不是有限數值。請檢查檢查點。',
  'factor.not-positive-definite': 'Hessian 即使增加阻尼仍非正定。請提供更多或其他校準資料。',

  'cli.no-evaluation': '沒有評估資料。請提供 --evaluation PATH 或 --evaluation-tokens FILE。',
  'cli.flag-of-scheduler':
    '{{flag}} 需要具有此設定的排程器（{{schedulers}}），而這裡是 {{scheduler}}。請以 --scheduler 指定其中之一，或移除 {{flag}}。',
  'cli.flag-without-bits': '{{flag}} 是量化的設定，但這裡沒有量化。請加上 --bits，或移除 {{flag}}。',
  'cli.two-corpora': '{{one}} 與 {{other}} 不能同時使用。請移除其中之一。',
  'cli.two-datasets': '有兩個資料集同名：{{name}}。請更改其中一個檔案或資料夾的名稱。',
  'cli.compare-one': 'compare 會並列比較：請至少指定兩個執行目錄。',

  'bench.too-long': '提示與生成共 {{tokens}} 個 token，但模型最多接受 {{limit}} 個。請以 --prompt 與 --generate 減少。',
  'checkpoint.dtype': '張量 {{name}} 的 dtype 是 {{dtype}}，但各層只能讀取 F32、F16 或 BF16。請以其中一種儲存模型。',
  'checkpoint.mixed-dtypes':
    '張量 {{name}} 的 dtype 是 {{dtype}}，但前面的層是 {{expected}}。請以單一 dtype 儲存模型的所有層。',
  'checkpoint.tensor-missing':
    '{{path}} 裡沒有 config.json 所要求的張量 {{name}}。請重新下載同一版本的 config.json 與權重。',
  'checkpoint.tensor-shape':
    '張量 {{name}} 的形狀為 {{shape}}，但 config.json 要求 {{expected}}。請重新下載同一版本的 config.json 與權重。',
  'checkpoint.two-drives': '{{one}} 與 {{other}} 沒有共同的上層資料夾。請將執行目錄與檢查點放在同一個磁碟機。',
  'config.not-json': '{{path}} 不是 JSON 物件。請重新下載 config.json。',
  'config.unknown-family': '{{path}} 的 model_type 為 {{type}}，Tamis 不支援。請改用下列家族的模型：{{known}}。',
  'config.quantized': '{{path}} 含有 quantization_config：此檢查點已量化過。請改用 F32、F16 或 BF16 的原始檢查點。',
  'config.experts': '{{path}} 含有 {{field}}：此模型為混合專家（MoE）模型，Tamis 無法壓縮。請改用稠密模型。',
  'config.field': '{{path}} 的 {{field}} 不正確：{{reason}}。請重新下載或修正 config.json。',
  'config.activation': 'config.json 要求啟用函數 {{value}}，Tamis 無法計算。請改用下列其中一種的模型：{{known}}。',
  'config.heads':
    'config.json 的 hidden_size {{hidden}} 無法被 num_attention_heads {{heads}} 整除。請重新下載或修正 config.json。',
  'config.kv-heads':
    'config.json 的 num_attention_heads {{heads}} 無法被 num_key_value_heads {{kvHeads}} 整除。請重新下載或修正 config.json。',
  'config.rope-factors':
    'config.json 的 {{field}} 有 {{count}} 個數字，但每個 head 有 {{expected}} 對元素旋轉。請重新下載或修正 config.json。',
  'config.rope-pairs': '依 config.json，每個 head 有 {{turned}} 個元素旋轉，無法成對。請重新下載或修正 config.json。',
  'config.rope-partial':
    '依 config.json，每個 head 的 {{size}} 個元素中只有 {{turned}} 個旋轉，此家族沒有這種計算方式。請改用沒有 partial_rotary_factor 的模型。',
  'config.rope':
    'config.json 要求類型為 {{type}} 的旋轉位置編碼，Tamis 不認得此類型。請改用下列其中一種的模型：{{known}}。',
  'device.not-built-in':
    '{{platform}} 版的 onnxruntime 不支援 {{device}}。請改用其他 --device；tamis devices 會列出可用的裝置。',
  'device.failed':
    '裝置 {{device}} 無法執行此模型：{{reason}}。請改用其他 --device；可用 tamis devices 列出並測試各裝置。',
  'gpu.not-used': 'GPU {{adapter}} 無法使用：{{reason}}。改由 CPU 計算。請更新其驅動程式；可用 tamis devices 測試。',
  'gpu.layers-on-cpu': '{{layers}} 層對 GPU {{gpu}} 而言太大，或使用其不支援的剪枝樣式：改由 CPU 壓縮這些層。',
  'device.given-up': '步驟 {{step}} 中失去 {{device}}：{{reason}}。此步驟與之後的所有步驟改由 CPU 計算。',
  'cuda.platform': 'CUDA 僅支援 linux/x64，而此系統為 {{platform}}。請改用其他裝置。',
  'cuda.no-driver': '找不到 NVIDIA 驅動程式（沒有 {{path}}）。請安裝 NVIDIA GPU 的驅動程式並重新開機，或改用其他裝置。',
  'cuda.old-driver':
    'NVIDIA 驅動程式的版本為 {{version}}，但 CUDA {{cuda}} 需要 {{oldest}} 或更新的版本。請更新驅動程式。',
  'cuda.no-provider':
    '缺少 onnxruntime 的 CUDA 元件（{{path}} 中的 {{files}}）。請在視窗的設定中下載，或執行：tamis devices --fetch-cuda',
  'cuda.no-libraries':
    'onnxruntime 的 CUDA 元件需要 {{libraries}}，但系統找不到。請從系統套件或 NVIDIA 安裝 CUDA {{cuda}}，或在 LD_LIBRARY_PATH 中指定這些函式庫的資料夾。',
  'cuda.about-to-fetch':
    'onnxruntime-node {{version}} 的安裝程式將從 NuGet 下載其 CUDA 元件（約 {{mebibytes}} MiB），再由 Tamis 放入 {{path}}。其中不包含 CUDA 本身。',
  'cuda.not-asked': '沒有終端機可詢問是否下載 CUDA 元件。請加上 --yes，不經詢問直接下載。',
  'cuda.fetch-failed': '未能下載 CUDA 元件：{{reason}}。沒有任何變更。請檢查網路後再試。',
  'gpu.no-adapter':
    '沒有 Tamis 可用的 GPU {{adapter}}。請安裝其驅動程式（Vulkan、Metal 或 DirectX 12），或改用其他裝置；tamis devices 會列出可用的裝置。',
  'gpu.not-usable':
    '無法開啟 GPU {{adapter}}：{{reason}}。請更新其驅動程式，或改用其他裝置；tamis devices 會列出可用的裝置。',
  'gpu.lost':
    'GPU {{adapter}} 已失去連線：{{reason}}。其驅動程式已重設，或裝置已移除。請繼續執行；若未指定 --no-cpu-fallback，會改由 CPU 繼續。',
  'gpu.out-of-memory':
    'GPU {{adapter}} 的記憶體不足。請結束其他使用此 GPU 的程式後繼續執行；若未指定 --no-cpu-fallback，會改由 CPU 繼續。',
  'gpu.failed':
    'GPU {{adapter}} 無法完成運算：{{reason}}。請更新其驅動程式，或改用其他裝置；tamis devices 會列出可用的裝置。',
  'gpu.too-large': '{{size}} 位元組的矩陣對 GPU {{adapter}} 而言太大，其上限為 {{limit}}。請在 CPU 上壓縮此層。',
  'gpu.pattern':
    'GPU 支援每 m 個權重剪去 n 個的樣式，m 最大為 {{limit}}，不支援 {{m}}。請在 CPU 上壓縮此層，或改用其他樣式。',
  'evaluation.seqlen':
    'evaluation.seqlen 為 {{seqlen}}，但模型最多接受 {{limit}} 個 token。請指定 {{limit}} 或更小的值。',
  'export.no-genai-config': '{{path}} 沒有 genai_config.json，不是 ONNX 匯出結果。請選擇 tamis export 寫出的資料夾。',
  'file.wrong-size': '{{path}} 有 {{bytes}} 位元組，應為 {{expected}} 位元組。請在另一個資料夾重新執行。',

  'plan.memory':
    '{{stage}} 階段約需 {{needed}} MiB 記憶體，目前可用 {{free}} MiB。請關閉其他程式，或改用記憶體較大的機器。',
  'memory.layer':
    '{{layer}} 的 Hessian 與分解因子需 {{own}} MiB；連同當時的其他資料，{{stage}} 階段需要 {{needed}} MiB，而記憶體上限為 {{budget}} MiB。請提高上限（--memory），或改用記憶體較大的機器。',
  'memory.weights':
    '壓縮 {{layer}} 時，其權重需 {{own}} MiB；連同當時的其他資料，{{stage}} 階段需要 {{needed}} MiB，而記憶體上限為 {{budget}} MiB。請提高上限（--memory），或改用記憶體較大的機器。',
  'memory.block':
    '一個區塊的權重與前向計算需 {{own}} MiB；連同當時的其他資料，{{stage}} 階段需要 {{needed}} MiB，而記憶體上限為 {{budget}} MiB。請提高上限（--memory），或縮短序列。',
  'memory.vocabulary':
    '詞彙矩陣與 logits 需 {{own}} MiB；連同當時的其他資料，{{stage}} 階段需要 {{needed}} MiB，而記憶體上限為 {{budget}} MiB。請提高上限（--memory），或不做評估。',
  'memory.text':
    '整份斷詞的文字在處理期間需 {{own}} MiB；連同當時的其他資料，共需 {{needed}} MiB，而記憶體上限為 {{budget}} MiB。請提高上限（--memory），或將文字分成較小的檔案。',
  'memory.process':
    '程式本身與 token 編號需 {{own}} MiB；連同其他資料，{{stage}} 階段需要 {{needed}} MiB，而記憶體上限為 {{budget}} MiB。請提高上限（--memory）。',
  'plan.busy': '其他程式正在使用處理器，時間是在此情況下測得的。請待其結束後重新規劃。',
  'plan.disk': '這次執行在 {{path}} 約需 {{needed}} MiB，目前可用 {{free}} MiB。請清出空間，或指定其他 --out。',
  'plan.search-disk':
    '若 {{attempts}} 次嘗試都需要，在 {{path}} 合計約需 {{needed}} MiB，目前可用 {{free}} MiB。請清出空間、指定其他 --out，或在過程中刪除未達成的嘗試。',

  'bridge.foreign-frame': '有一個不屬於 Tamis 的頁面提出要求，已拒絕。請重新啟動 Tamis。',
  'bridge.unknown-request': '視窗要求了不存在的 {{name}}。請重新啟動 Tamis；若再次發生，請回報。',
  'bridge.invalid': '視窗對 {{name}} 的要求無效：{{reason}}。這是程式錯誤，請回報。',
  'engine.lost': '引擎在回答途中結束了。請再試一次；「設定」中的紀錄檔有更多說明。',
  'engine.crashed':
    '這項執行的引擎當掉了（結束代碼 {{exitCode}}）。「繼續」會從最後完成的區塊接著進行；「複製診斷資訊」會收集已知的內容。',
  'engine.killed': '這項執行的處理程序被外部終止，可能是因為記憶體用盡。「繼續」會從最後完成的區塊接著進行。',
  'engine.out-of-memory':
    '系統因記憶體用盡而終止了這項執行。請關閉其他程式，或減少校準序列的數量或長度，然後繼續：會從最後完成的區塊接著進行。',
  'engine.not-started': '無法啟動引擎。請重新安裝 Tamis；「設定」中的紀錄檔有更多說明。',
  'engine.lost-run': 'Tamis 在這項執行進行中結束了，沒有人看到它如何結束。「繼續」會從最後完成的區塊接著進行。',
  'run.busy': '{{name}} 正在執行或等待執行。請先暫停或取消。',
  'export.not-finished': '{{name}} 尚未完成，還沒有可匯出的內容。請先繼續執行。',
  'export.exists': '{{path}} 不是空的。請選擇新的或空的資料夾。',
  'export.no-space': '匯出需要 {{needed}} MiB，而 {{path}} 只剩 {{free}} MiB。請釋出空間或選擇其他資料夾。',
  'export.incomplete': '{{path}} 複製後與來源不符。請檢查磁碟後重新匯出。',
  'export.no-evaluation':
    '{{path}} 的執行配方沒有指定評估資料，因此無法以其測量寫出的檔案。請不要勾選檢查；tamis eval 可用其他資料測量。',
  'export.not-quantized': '{{format}} 儲存量化的層，而此次執行沒有。請先以 --bits 壓縮模型。',
  'export.bits': '{{format}} 只接受 {{known}} 位元的層，而 {{layer}} 為 {{bits}} 位元。請改選其他格式，或其他 --bits。',
  'export.scattered':
    '{{format}} 只接受相鄰行組成的群組，而 act-order 已將 {{layer}} 的群組打散。請選擇 gptq，或以 --static-groups 量化。',
  'export.transposed':
    '{{format}} 只認得線性模組的權重，而 {{layer}} 屬於另一種（Conv1D，[in, out]），程式不會讀取它。請改選其他格式。',
  'export.part-of-a-word':
    '{{format}} 將碼裝入 32 位元的字組，而 {{layer}} 的 {{rows}} 列與 {{cols}} 行、{{bits}} 位元無法填滿字組。請改選其他格式。',
  'export.zero-point': 'gptq 儲存的零點少一，而 {{layer}} 有零點為 0。請選擇 gptq_v2，或以 --symmetric 量化。',
  'export.family': 'llama.cpp 沒有 {{family}}。請改選其他格式。',
  'export.asymmetric-pruned':
    'GGUF 沒有能讓剪去的權重恰好為零的非對稱碼，而 {{layer}} 已剪枝。請改選其他格式，或以 --symmetric 量化。',
  'export.asymmetric-bits':
    'GGUF 的非對稱碼至多 4 位元，而 {{layer}} 為 {{bits}} 位元。請改選其他格式，或以 --symmetric 量化。',
  'export.tensor': '{{format}} 沒有可放張量 {{name}} 的地方。請改選其他格式。',
  'export.block-columns': '{{format}} 以 {{block}} 行為一塊，而 {{layer}} 有 {{cols}} 行。請改選其他格式。',
  'export.setting': '讀取 GGUF 的 llama.cpp 無法依 config.json 的 {{field}}（{{value}}）計算。請改選其他格式。',
  'export.tokenizer': 'GGUF 需要以自己的方式描述分詞器，而 {{path}} 的種類未知：{{reason}}。請改選其他格式。',
  'export.no-tokenizer': '模型沒有 tokenizer.json：檔案不含詞彙表，程式只能輸入 token 編號。',
  'export.dense-size': '稠密格式與原始模型一樣大：零與少位元的碼都不會使它變小。它到處都能載入。',
  'export.slow-bits':
    'onnxruntime 在 CPU 上只有 4 位元的碼有快速的乘積（3 位元也以此儲存）：{{layer}} 為 {{bits}} 位元，生成會比稠密模型慢數倍。',
  'export.zero-points':
    'compressed-tensors 0.20 在 transformers 直接載入含零點的資料夾時會失敗：請如匯出所附的程式碼，以 CompressedTensorsConfig(dequantize=True) 載入，或改用對稱量化。',
  'export.conv1d':
    'transformers 5.23 無法以封裝模組載入 {{layer}}（Conv1D）；GPTQModel 可以：請以 GPTQModel.load 載入。',
  'export.channel-kernel':
    'GPTQModel 在 CPU 上為 4 位元選用的運算核心，每組最多 {{columns}} 欄，而 {{layer}} 整列共用一個縮放係數：請以 backend="gptq_torch" 載入，或改用分組量化。',
  'export.dynamic':
    '並非所有層的位元數都相同。這記載於 GPTQModel 的欄位（dynamic），vLLM 也會讀取；其他程式可能無法載入此資料夾。',
  'export.zeros-stay': '零與其他權重一樣儲存：不會使檔案變小，也不會使任何運算變快。',
  'export.group-size': '部分運算核心（例如 vLLM 的）不接受 {{size}} 行的群組；128 行的皆可接受。',
  'export.group-columns':
    '部分運算核心（例如 vLLM 的）需要行數為完整的群組：{{layer}} 有 {{cols}} 行，不是 {{size}} 的倍數。',
  'gguf.malformed': '{{path}} 不是 Tamis 的 GGUF 檔，或在位元組 {{offset}} 處損壞。請重新匯出。',
  'unpack.not-an-export':
    '{{path}} 不是 Tamis 的匯出：其中既無 tamis.json 也無 model.tamis。稠密資料夾不需解開；請指定其他格式的資料夾。',
  'history.newer':
    '{{path}} 是由較新版本的 Tamis 寫入的：其格式為 {{version}}，而此版本只支援到 {{known}}。請重新安裝較新的 Tamis；檔案未被更動。',
  'history.read-only':
    '{{path}} 是唯讀的，無法記錄執行。請給予您的使用者寫入該檔案及其資料夾的權限，再重新啟動 Tamis。',
  'history.no-access': '無法開啟 {{path}}。請給予您的使用者讀寫該檔案及其資料夾的權限，再重新啟動 Tamis。',
  'history.full': '沒有空間可寫入 {{path}}。請清出空間後再試一次；已完成的執行在各自的資料夾中安全無虞。',
  'history.locked': '另一個程式正在寫入 {{path}}。請將它關閉後再試一次。',
  'history.damaged': '{{path}} 已損壞。請重新啟動 Tamis：歷史紀錄將由各次執行的資料夾重建。',
  'history.failed': '無法使用 {{path}}（{{reason}}）。請檢查所在的磁碟，再重新啟動 Tamis。',
  'history.rebuilt':
    '{{path}} 中的歷史紀錄已損壞，並已由各次執行的資料夾重建。損壞的檔案保留為 {{aside}}。若清單中缺少其他位置的資料夾，可以再次匯入。',
  'history.folders-skipped':
    '有 {{count}} 個執行資料夾無法讀取，因此未列入歷史紀錄，例如 {{path}}。請修復或移除；匯入該資料夾時會說明問題所在。',
  'history.no-run': '這次執行已不在歷史紀錄中。請回到清單。',
  'settings.damaged': '{{path}} 已損壞：設定已恢復為預設值。損壞的檔案保留為 {{aside}}。',
  'model.unknown': '此模型已不在模型庫中。請重新加入其資料夾。',
  'model.demo-stays': '示範模型隨 Tamis 提供，會一直保留在模型庫中。',
  'model.listed': '{{path}} 已在模型庫中。請選擇其他資料夾。',
  'run.foreign-folder': '{{path}} 裡還有不屬於這次執行的資料夾 {{name}}。請先將它移到別處。',
  'storage.exists': '{{path}} 已經存在。請選擇其他資料夾，或先將它移走。',
  'storage.inside': '{{path}} 位於要移動的資料夾之內。請選擇該資料夾以外的位置。',
  'storage.no-space': '將執行移到 {{path}} 需要 {{needed}} MiB，該處可用 {{free}} MiB。請清出空間，或選擇其他磁碟。',
  'storage.copy-differs': '{{path}} 讀回的內容與寫入的不同。各次執行仍留在原處；請檢查該磁碟，或選擇其他磁碟。',
  'path.not-granted': '{{path}} 未曾在此選擇或拖放，因此不會讀取。請重新選擇該檔案或資料夾。',

  'hub.name': '{{text}} 不是儲存庫的名稱。請以 OWNER/NAME 的形式提供，與 hub 上的頁面相同：facebook/opt-125m。',
  'hub.revision': '{{text}} 不是版本。請提供分支或標籤的名稱，或一個 commit。',
  'hub.endpoint': '{{text}} 不是 hub 的網址。請提供以 https:// 開頭、不含使用者、查詢或片段的網址。',
  'hub.token': '{{place}} 中的權杖含有權杖不會有的字元。請從 hub 的設定重新複製。',
  'hub.no-token':
    '{{host}} 不會在沒有權杖時提供此內容：模型為私有或需申請，或名稱有誤。請檢查名稱；在模型的頁面申請存取權；再將可讀取的權杖放入 HF_TOKEN 或 Tamis 的設定。',
  'hub.no-access':
    '{{host}} 不對此權杖的擁有者提供此內容：模型為私有或需申請，或名稱有誤。請檢查名稱，在模型的頁面申請存取權，並確認權杖可以讀取。',
  'hub.insecure': '{{host}} 要求權杖，而權杖只透過 https 傳送。請提供以 https:// 開頭的端點，或本機上的端點。',
  'hub.not-found': '{{url}} 不存在。請檢查儲存庫的名稱與版本。',
  'hub.refused': '{{host}} 拒絕了要求（HTTP {{status}}）。請檢查名稱與端點。',
  'hub.rate-limited': '{{host}} 因要求過多而暫時不再提供。請稍後再試；已取得的內容會保留。',
  'hub.server': '{{host}} 本身發生問題（HTTP {{status}}）。請稍後再試；已取得的內容會保留。',
  'hub.no-connection': '無法連線到 {{host}}：{{reason}}。請檢查網路與端點後再試；已取得的內容會保留。',
  'hub.stalled': '{{host}} 已有 {{seconds}} 秒幾乎沒有傳來任何內容。請檢查網路後再試；已取得的內容會保留。',
  'hub.cut': '與 {{host}} 的連線在傳送 {{path}} 途中中斷。請再試一次；已取得的內容會保留。',
  'hub.range': '{{host}} 傳來的不是所要求的 {{path}} 部分。請再試一次，或指定其他 --endpoint。',
  'hub.redirect': '{{host}} 轉址到 {{to}}，未予跟隨：轉址過多，或該網址不是 https。請指定其他 --endpoint。',
  'hub.listing': '{{host}} 的回應不像 hub：{{reason}}。請檢查端點。',
  'hub.path':
    '儲存庫中有名為 {{path}} 的檔案，它會或可能會離開所在的資料夾。未取得任何內容；請從可信任的來源取得模型。',
  'hub.no-config': '{{repository}} 沒有 config.json。請選擇 transformers 格式的模型儲存庫。',
  'hub.no-weights':
    '{{repository}} 沒有以慣用名稱存放的 safetensors 或 PyTorch 權重。請選擇 transformers 格式的模型儲存庫。',
  'hub.shard': '{{index}} 指向 "{{shard}}"，而儲存庫中沒有這個單純的檔案。請從可信任的來源取得模型。',
  'hub.folder': '{{path}} 不是空的，也不是由 tamis pull 開始的。請選擇新的或空的資料夾。',
  'hub.other-repository': '{{path}} 裡是 {{repository}} 的檔案。請選擇其他資料夾。',
  'hub.no-space': '還需取得 {{needed}} MiB，而 {{path}} 可用 {{free}} MiB。請清出空間，或選擇其他資料夾。',
  'hub.length':
    '{{path}} 兩次傳來的都是 {{bytes}} 位元組，而 hub 所列為 {{expected}}。請稍後再試，或指定其他 --endpoint。',
  'hub.checksum':
    '{{path}} 兩次傳來的內容都與 hub 所列不同：核對碼有誤。已將其捨棄；{{host}} 或途中的某處損壞了檔案。請稍後再試，或指定其他 --endpoint。',
  'hub.moved': '自此資料夾開始以來，版本已從 commit {{earlier}} 移到 {{commit}}：有變動的檔案會重新取得。',
  'hub.going-on': '正在取得 {{repository}}。請先將它暫停或取消。',
  'hub.no-pull': '此下載已不在清單中。請重新加入模型。',

  'cancelled.no-run': '已取消：尚無可以繼續的執行。需要時請重新開始。',
  'cancelled.pull': '已停止；已取得的內容會保留。可用此指令繼續：tamis pull {{repository}}',
  'cancelled.fit': '搜尋已取消，各次嘗試會保留。以相同的指令即可繼續，從最後完成的區塊接續。',
  cancelled: '執行已取消。可用此指令繼續：tamis resume {{path}}',
  internal: 'Tamis 內部發生錯誤：{{detail}}。這是程式的缺陷，請附上執行紀錄回報。',
};
