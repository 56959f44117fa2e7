// A greedy completion by JNA: java -cp /usr/share/java/jna.jar complete.java MODEL PROMPT TOKENS

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import com.sun.jna.ptr.LongByReference;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;

class Complete {
  private static final Mixtral library = Mixtral.LIBRARY;

  static void complete(String path, byte[] prompt, long limit) {
    Mixtral.SamplerOptions options = new Mixtral.SamplerOptions();
    options.struct_size = options.size();
    options.temperature = 0; // always the likeliest token
    try (Handle model = Handle.create(out -> library.mixtral_load(out, path, null));
        Handle session =
            Handle.create(out -> library.mixtral_session_create(out, model.bits(), null));
        Handle sampler = Handle.create(out -> library.mixtral_sampler_create(out, options));
        Handle detokenizer =
            Handle.create(
                out ->
                    library.mixtral_detokenizer_create(
                        out, model.bits(), Mixtral.DETOKENIZE_CONTINUE))) {
      LongByReference count = new LongByReference();
      int[] buffer = new int[64]; // more ends than models have; else the call says so
      Mixtral.check(
          library.mixtral_model_stop_tokens(count, buffer, buffer.length, model.bits()));
      int[] ends = Arrays.copyOf(buffer, (int) count.getValue());

      // A token is at least a byte; a few more for what belongs before and after a text.
      int[] tokens = new int[prompt.length + 8];
      Mixtral.check(
          library.mixtral_tokenize(
              count,
              tokens,
              tokens.length,
              model.bits(),
              prompt,
              prompt.length,
              Mixtral.TOKENIZE_BOS));
      Mixtral.check(library.mixtral_step(session.bits(), tokens, count.getValue()));

      int[] token = new int[1];
      for (long made = 0; made < limit; made++) {
        Mixtral.check(library.mixtral_sample(token, session.bits(), sampler.bits()));
        if (Arrays.stream(ends).anyMatch(end -> end == token[0])) break;
        write(detokenizer, token, 1);
        Mixtral.check(library.mixtral_step(session.bits(), token, 1));
      }
      write(detokenizer, token, 0); // ends the text: what was held back of a character
    }
  }

  static void write(Handle detokenizer, int[] tokens, long count) {
    byte[] piece = new byte[1024];
    LongByReference size = new LongByReference();
    Mixtral.check(
        library.mixtral_detokenizer_next(
            size, piece, piece.length, detokenizer.bits(), tokens, count));
    System.out.write(piece, 0, (int) size.getValue());
    System.out.flush();
  }

  public static void main(String[] arguments) {
    if (arguments.length != 3) {
      System.err.println("usage: complete.java MODEL PROMPT TOKENS");
      System.exit(1);
    }
    try {
      byte[] prompt = arguments[1].getBytes(StandardCharsets.UTF_8);
      complete(arguments[0], prompt, Long.parseLong(arguments[2]));
    } catch (MixtralException error) {
      System.err.println(error.getMessage());
      System.exit(1);
    }
  }
}

/** The functions of mixtral.h. Handles and sizes are long; what is returned is a status. */
interface Mixtral extends Library {
  Mixtral LIBRARY =
      Native.load("libmixtral.so.1", Mixtral.class, Map.of(OPTION_STRING_ENCODING, "UTF-8"));

  // Made by `make abi` from include/mixtral.abi.json.
  int TOKENIZE_BOS = 1;
  int DETOKENIZE_CONTINUE = 2;

  /** mixtral_sampler_options; what is not used here stands together. */
  @FieldOrder({"struct_size", "top_k", "temperature", "top_p_to_random_seed", "seed_to_user"})
  class SamplerOptions extends Structure {
    public int struct_size;
    public int top_k;
    public float temperature;
    public int[] top_p_to_random_seed = new int[9];
    public long[] seed_to_user = new long[5];
  }

  String mixtral_status_name(int status);

  String mixtral_last_error();

  int mixtral_load(LongByReference model, String path, Pointer options);

  int mixtral_model_stop_tokens(LongByReference count, int[] buffer, long capacity, long model);

  int mixtral_session_create(LongByReference session, long model, Pointer options);

  int mixtral_sampler_create(LongByReference sampler, SamplerOptions options);

  int mixtral_detokenizer_create(LongByReference detokenizer, long model, int flags);

  int mixtral_tokenize(
      LongByReference count,
      int[] buffer,
      long capacity,
      long model,
      byte[] text,
      long size,
      int flags);

  int mixtral_detokenizer_next(
      LongByReference size,
      byte[] buffer,
      long capacity,
      long detokenizer,
      int[] tokens,
      long count);

  int mixtral_step(long session, int[] tokens, long count);

  int mixtral_sample(int[] token, long session, long sampler);

  int mixtral_free(long object);
  // End of what `make abi` made.

  static void check(int status) {
    if (status == 0) return;
    String name = LIBRARY.mixtral_status_name(status);
    throw new MixtralException(name + ": " + LIBRARY.mixtral_last_error());
  }
}

class MixtralException extends RuntimeException {
  private static final long serialVersionUID = 1;

  MixtralException(String message) {
    super(message);
  }
}

/** An object of the library, for try-with-resources. */
record Handle(long bits) implements AutoCloseable {
  interface Maker {
    int make(LongByReference handle);
  }

  static Handle create(Maker maker) {
    LongByReference handle = new LongByReference();
    Mixtral.check(maker.make(handle));
    return new Handle(handle.getValue());
  }

  @Override
  public void close() {
    Mixtral.LIBRARY.mixtral_free(bits);
  }
}
