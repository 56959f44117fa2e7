# A greedy completion by Ruby's Fiddle: ruby complete.rb MODEL PROMPT TOKENS
require "fiddle/import"

module Mixtral
  extend Fiddle::Importer
  dlload "libmixtral.so.1"

  # Made by `make abi` from include/mixtral.abi.json.
  TOKENIZE_BOS = 1
  DETOKENIZE_CONTINUE = 2

  # Handles are numbers: Fiddle would wrap pointers in objects that offer to follow them.
  typealias "handle", "unsigned long long"

  # Fields that are not used here stand together.
  SamplerOptions = struct ["unsigned int struct_size", "unsigned int top_k", "float temperature",
                           "unsigned int top_p_to_random_seed[9]",
                           "unsigned long long seed_to_user[5]"]

  extern "const char *mixtral_status_name(int)"
  extern "const char *mixtral_last_error()"
  extern "int mixtral_load(void *, const char *, void *)"
  extern "int mixtral_model_stop_tokens(void *, void *, size_t, handle)"
  extern "int mixtral_session_create(void *, handle, void *)"
  extern "int mixtral_sampler_create(void *, void *)"
  extern "int mixtral_detokenizer_create(void *, handle, unsigned int)"
  extern "int mixtral_tokenize(void *, void *, size_t, handle, const char *, size_t, unsigned int)"
  extern "int mixtral_detokenizer_next(void *, void *, size_t, handle, void *, size_t)"
  extern "int mixtral_step(handle, void *, size_t)"
  extern "int mixtral_sample(void *, handle, handle)"
  extern "int mixtral_free(handle)"
  # End of what `make abi` made.

  class Error < StandardError; end

  def self.call(name, *arguments)
    status = send("mixtral_#{name}", *arguments)
    return if status.zero?
    raise Error, "#{mixtral_status_name(status)}: #{mixtral_last_error}"
  end

  # A buffer of fresh bytes. "\0" * n may be shared with a copy, which C would overwrite too.
  def self.buffer(size) = Fiddle::Pointer.malloc(size, Fiddle::RUBY_FREE)

  # Zero is the default of every field but struct_size.
  def self.options(type)
    type.malloc(Fiddle::RUBY_FREE).tap do |one|
      one.to_ptr[0, type.size] = "\0" * type.size
      one.struct_size = type.size
    end
  end

  # Makes an object, frees it after the block.
  def self.with(name, *arguments)
    out = buffer(8)
    call(name, out, *arguments)
    handle = out[0, 8].unpack1("Q")
    begin
      yield handle
    ensure
      mixtral_free(handle)
    end
  end
end

def generate(model, session, sampler, detokenizer, prompt, limit)
  count, ids = Mixtral.buffer(8), Mixtral.buffer(4 * 64)
  # More ends than models have; else the call says so.
  Mixtral.call(:model_stop_tokens, count, ids, 64, model)
  ends = ids[0, 4 * count[0, 8].unpack1("Q")].unpack("l*")

  # A token is at least a byte; a few more for what belongs before and after a text.
  capacity = prompt.bytesize + 8
  tokens = Mixtral.buffer(4 * capacity)
  Mixtral.call(:tokenize, count, tokens, capacity, model, prompt, prompt.bytesize,
               Mixtral::TOKENIZE_BOS)
  Mixtral.call(:step, session, tokens, count[0, 8].unpack1("Q"))

  token, size, piece = Mixtral.buffer(4), Mixtral.buffer(8), Mixtral.buffer(1024)
  write = lambda do |fed|
    Mixtral.call(:detokenizer_next, size, piece, piece.size, detokenizer, token, fed)
    $stdout.write(piece[0, size[0, 8].unpack1("Q")])
    $stdout.flush
  end
  limit.times do
    Mixtral.call(:sample, token, session, sampler)
    break if ends.include?(token[0, 4].unpack1("l"))
    write.call(1)
    Mixtral.call(:step, session, token, 1)
  end
  write.call(0) # ends the text: what was held back of a character
end

def complete(path, prompt, limit)
  options = Mixtral.options(Mixtral::SamplerOptions)
  options.temperature = 0 # always the likeliest token
  Mixtral.with(:load, path, nil) do |model|
    Mixtral.with(:session_create, model, nil) do |session|
      Mixtral.with(:sampler_create, options) do |sampler|
        Mixtral.with(:detokenizer_create, model, Mixtral::DETOKENIZE_CONTINUE) do |detokenizer|
          generate(model, session, sampler, detokenizer, prompt, limit)
        end
      end
    end
  end
end

abort "usage: ruby complete.rb MODEL PROMPT TOKENS" unless ARGV.size == 3
begin
  complete(ARGV[0], ARGV[1], Integer(ARGV[2]))
rescue Mixtral::Error => error
  abort error.message
end
