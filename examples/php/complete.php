<?php
// A greedy completion by PHP's FFI: php complete.php MODEL PROMPT TOKENS
declare(strict_types=1);

final class Mixtral
{
    // Made by `make abi` from include/mixtral.abi.json.
    public const TOKENIZE_BOS = 1;
    public const DETOKENIZE_CONTINUE = 2;

    // Handles are declared as the 64-bit numbers that they are, and arrive as PHP's int.
    // Fields that are not used here stand together.
    private const HEADER = '
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
        int32_t mixtral_model_stop_tokens(size_t *count, int32_t *buffer, size_t capacity,
                                          handle model);
        int32_t mixtral_session_create(handle *session, handle model, const void *options);
        int32_t mixtral_sampler_create(handle *sampler, const mixtral_sampler_options *options);
        int32_t mixtral_detokenizer_create(handle *detokenizer, handle model, uint32_t flags);
        int32_t mixtral_tokenize(size_t *count, int32_t *buffer, size_t capacity, handle model,
                                 const char *text, size_t size, uint32_t flags);
        int32_t mixtral_detokenizer_next(size_t *size, char *buffer, size_t capacity,
                                         handle detokenizer, const int32_t *tokens, size_t count);
        int32_t mixtral_step(handle session, const int32_t *tokens, size_t count);
        int32_t mixtral_sample(int32_t *token, handle session, handle sampler);
        int32_t mixtral_free(handle object);
    ';
    // End of what `make abi` made.

    private FFI $library;
    /** @var int[] what is freed in the end, the last first */
    private array $objects = [];

    public function __construct()
    {
        $this->library = FFI::cdef(self::HEADER, 'libmixtral.so.1');
    }

    /** C memory, all zero; zero in any field of options is the default. */
    public function new(string $type): FFI\CData
    {
        return $this->library->new($type);
    }

    public function call(string $name, mixed ...$arguments): void
    {
        $status = $this->library->{"mixtral_$name"}(...$arguments);
        if ($status !== 0) {
            // A const char * that C returns is a PHP string already: a copy.
            $name = $this->library->mixtral_status_name($status);
            throw new RuntimeException("$name: {$this->library->mixtral_last_error()}");
        }
    }

    public function create(string $name, mixed ...$arguments): int
    {
        $handle = $this->new('handle');
        $this->call($name, FFI::addr($handle), ...$arguments);
        return $this->objects[] = $handle->cdata;
    }

    public function freeAll(): void
    {
        while ($this->objects) {
            $this->library->mixtral_free(array_pop($this->objects));
        }
    }
}

function complete(Mixtral $mixtral, string $path, string $prompt, int $limit): void
{
    $model = $mixtral->create('load', $path, null);
    $options = $mixtral->new('mixtral_sampler_options');
    $options->struct_size = FFI::sizeof($options);
    $options->temperature = 0; // always the likeliest token
    $session = $mixtral->create('session_create', $model, null);
    $sampler = $mixtral->create('sampler_create', FFI::addr($options));
    $detokenizer = $mixtral->create('detokenizer_create', $model, Mixtral::DETOKENIZE_CONTINUE);

    $ids = $mixtral->new('int32_t[64]'); // more ends than models have; else the call says so
    $count = $mixtral->new('size_t');
    $mixtral->call('model_stop_tokens', FFI::addr($count), $ids, count($ids), $model);
    $ends = [];
    for ($i = 0; $i < $count->cdata; $i++) {
        $ends[] = $ids[$i];
    }

    // A token is at least a byte; a few more for what belongs before and after a text.
    $capacity = strlen($prompt) + 8;
    $tokens = $mixtral->new("int32_t[$capacity]");
    $mixtral->call('tokenize', FFI::addr($count), $tokens, $capacity, $model, $prompt,
        strlen($prompt), Mixtral::TOKENIZE_BOS);
    $mixtral->call('step', $session, $tokens, $count->cdata);

    $token = $mixtral->new('int32_t');
    $size = $mixtral->new('size_t');
    $piece = $mixtral->new('char[1024]');
    $write = function (int $fed) use ($mixtral, $detokenizer, $token, $size, $piece): void {
        $mixtral->call('detokenizer_next', FFI::addr($size), $piece, FFI::sizeof($piece),
            $detokenizer, FFI::addr($token), $fed);
        fwrite(STDOUT, FFI::string($piece, $size->cdata));
    };
    for ($made = 0; $made < $limit; $made++) {
        $mixtral->call('sample', FFI::addr($token), $session, $sampler);
        if (in_array($token->cdata, $ends, true)) {
            break;
        }
        $write(1);
        $mixtral->call('step', $session, FFI::addr($token), 1);
    }
    $write(0); // ends the text: what was held back of a character
}

if ($argc !== 4) {
    fwrite(STDERR, "usage: php complete.php MODEL PROMPT TOKENS\n");
    exit(1);
}
$mixtral = new Mixtral();
$status = 0;
try {
    complete($mixtral, $argv[1], $argv[2], (int) $argv[3]);
} catch (RuntimeException $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    $status = 1;
} finally {
    $mixtral->freeAll();
}
exit($status);
