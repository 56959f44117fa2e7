-- A greedy completion by LuaJIT's FFI: luajit complete.lua MODEL PROMPT TOKENS
local ffi = require("ffi")

-- Made by `make abi` from include/mixtral.abi.json.
-- Handles are declared as the 64-bit numbers that they are: nothing may follow them.
-- Fields that are not used here stand together.
ffi.cdef [[
typedef uint64_t handle;
typedef struct {
  uint32_t struct_size;
  uint32_t top_k;
  float temperature;
  uint32_t top_p_to_random_seed[9];
  uint64_t seed_to_user[5];
} mixtral_sampler_options;
const char *mixtral_status_name(int32_t status);
const char *mixtral_last_error(void);
int32_t mixtral_load(handle *model, const char *path, const void *options);
int32_t mixtral_model_stop_tokens(size_t *count, int32_t *buffer, size_t capacity, handle model);
int32_t mixtral_session_create(handle *session, handle model, const void *options);
int32_t mixtral_sampler_create(handle *sampler, const mixtral_sampler_options *options);
int32_t mixtral_detokenizer_create(handle *detokenizer, handle model, uint32_t flags);
int32_t mixtral_tokenize(size_t *count, int32_t *buffer, size_t capacity, handle model,
                         const char *text, size_t size, uint32_t flags);
int32_t mixtral_detokenizer_next(size_t *size, char *buffer, size_t capacity, handle detokenizer,
                                 const int32_t *tokens, size_t count);
int32_t mixtral_step(handle session, const int32_t *tokens, size_t count);
int32_t mixtral_sample(int32_t *token, handle session, handle sampler);
int32_t mixtral_free(handle object);
]]
local TOKENIZE_BOS, DETOKENIZE_CONTINUE = 1, 2
-- End of what `make abi` made.

local library = ffi.load("libmixtral.so.1")

local function check(status)
  if status == 0 then return end
  local name = ffi.string(library.mixtral_status_name(status))
  -- Level 0: no file and line before the sentence.
  error(name .. ": " .. ffi.string(library.mixtral_last_error()), 0)
end

local objects = {}

local function create(make, ...)
  local handle = ffi.new("handle[1]")
  check(make(handle, ...))
  table.insert(objects, handle[0])
  return handle[0]
end

local function free_all()
  while #objects > 0 do library.mixtral_free(table.remove(objects)) end
end

local function complete(path, prompt, limit)
  local model = create(library.mixtral_load, path, nil)
  -- ffi.new fills with zeros, and zero is the default.
  local options = ffi.new("mixtral_sampler_options")
  options.struct_size = ffi.sizeof(options)
  options.temperature = 0 -- always the likeliest token
  local session = create(library.mixtral_session_create, model, nil)
  local sampler = create(library.mixtral_sampler_create, options)
  local detokenizer = create(library.mixtral_detokenizer_create, model, DETOKENIZE_CONTINUE)

  local capacity = 64 -- more ends than models have; else the call says so
  local ids, count = ffi.new("int32_t[?]", capacity), ffi.new("size_t[1]")
  check(library.mixtral_model_stop_tokens(count, ids, capacity, model))
  local is_end = {}
  for i = 0, tonumber(count[0]) - 1 do is_end[ids[i]] = true end

  -- A token is at least a byte; a few more for what belongs before and after a text.
  capacity = #prompt + 8
  local tokens = ffi.new("int32_t[?]", capacity)
  check(library.mixtral_tokenize(count, tokens, capacity, model, prompt, #prompt, TOKENIZE_BOS))
  check(library.mixtral_step(session, tokens, count[0]))

  local token, size, piece = ffi.new("int32_t[1]"), ffi.new("size_t[1]"), ffi.new("char[1024]")
  local function write(fed)
    check(library.mixtral_detokenizer_next(size, piece, ffi.sizeof(piece), detokenizer, token, fed))
    io.write(ffi.string(piece, size[0]))
    io.flush()
  end
  for _ = 1, limit do
    check(library.mixtral_sample(token, session, sampler))
    if is_end[token[0]] then break end
    write(1)
    check(library.mixtral_step(session, token, 1))
  end
  write(0) -- ends the text: what was held back of a character
end

if #arg ~= 3 then
  io.stderr:write("usage: luajit complete.lua MODEL PROMPT TOKENS\n")
  os.exit(1)
end
local done, message = pcall(complete, arg[1], arg[2], tonumber(arg[3]))
free_all()
if not done then
  io.stderr:write(message, "\n")
  os.exit(1)
end
